"""The watch of a line that only trains: it judges events, and keeps what a reference is made of."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from monitor.config import MonitorConfig
from monitor.fitting import Values, fit_reference
from monitor.layout import Role
from monitor.reference import Reference
from monitor.schema import Schema
from stream.events import Features
from stream.labels import Label
from stream.learner import Prediction, all_plain
from stream.records import Offsets
from stream.sections import Task
from stream.watching.findings import Finding
from stream.watching.first_events import FEWEST
from stream.watching.labelled import Labelled
from stream.watching.watch import Watch


class TrainingWatch(Watch):
    """Judges by a schema, never halts, closes no pane.

    Parameters
    ----------
    config, task, decode, schema
        As for ``Watch``.
    """

    def __init__(
        self,
        config: MonitorConfig,
        task: Task,
        *,
        decode: Callable[[bytes], Features],
        schema: Schema | None,
    ) -> None:
        super().__init__(config, task, "training", decode=decode, schema=schema)
        size = config.warmup_events
        self._values: deque[tuple[bytes, Prediction]] = deque(maxlen=size)
        self._labels: deque[Label] = deque(maxlen=size)

    @property
    def is_halted(self) -> bool:
        """Never: what was in error is left out, and the rest is learned from."""
        return False

    def segment(self, decoded: Sequence[object], start: int) -> int:
        """Return the end of the batch: no pane closes."""
        return len(decoded)

    def close(self, offsets: Offsets, labelled: Sequence[Labelled]) -> list[Finding]:
        """Keep the events that may be learned from."""
        self._labels.extend(row.label for row in labelled)
        for one in self.noted:
            if one.prediction is not None:
                self._values.append((one.value, one.prediction))
        self.noted = []
        return []

    def make_reference(self) -> Reference | None:
        """Return the reference of the last events; None where there are too few."""
        schema = self.monitor.schema
        if schema is None or len(self._values) < FEWEST:
            return None
        extra: dict[Role, Values] = {
            "prediction": all_plain(self.task, [said for _, said in self._values])
        }
        if len(self._labels) >= FEWEST and self.task != "anomaly":
            extra["label"] = all_plain(self.task, list(self._labels))
        rows = [self._decode(value) for value, _ in self._values]
        return fit_reference(rows, schema, self.config, extra)
