"""The monitor: everything of this package behind one object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from monitor.arrays import FloatArray
from monitor.columns import Columns, Rows, as_rows, row_count
from monitor.concept import ConceptMonitor
from monitor.config import MonitorConfig
from monitor.detectors import LossDetector
from monitor.engine import Engine
from monitor.errors import StateError
from monitor.fitting import Values, compare_rows, fit_reference
from monitor.infer import infer_schema
from monitor.layout import Role
from monitor.observation import Observation
from monitor.panes import Pane
from monitor.reference import Reference
from monitor.report import SkewReport
from monitor.schema import Schema
from monitor.snapshot import Snapshot, read_snapshot, write_snapshot
from monitor.warmup import WarmUp


class Monitor(Engine):
    """Watches one stream: its schema, its values, its loss; and says what it wants done.

    Without a reference the monitor makes one, and a schema where there is none, of its first
    events. It has no clock: times are passed in, and the same calls give the same results, however
    the events are cut into batches.

    Parameters
    ----------
    config
        Defaults are documented with each part.
    schema
        What events may hold.
    reference
        What the current model was promoted on.
    detector
        A live River detector to go on with; see `LossDetector`.

    Attributes
    ----------
    trigger, concept
        The state machine, to be told when a training starts and ends; the monitor of the loss.
    report
        The tests of the last closed pane.
    recorder
        The open pane; None during the warm-up.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> monitor = Monitor().fit({"x": rng.normal(size=5000), "y": rng.normal(size=5000)})
    >>> report = monitor.compare({"x": rng.normal(size=2000), "y": rng.normal(0.5, size=2000)})
    >>> report.alarms
    ('y',)
    """

    def __init__(
        self,
        config: MonitorConfig | None = None,
        *,
        schema: Schema | None = None,
        reference: Reference | None = None,
        detector: LossDetector | None = None,
    ) -> None:
        super().__init__(config, schema=schema, reference=reference, detector=detector)
        self._warmup = WarmUp(self.config.warmup_events)

    def fit(
        self,
        rows: Rows | Columns,
        *,
        predictions: Values | None = None,
        labels: Values | None = None,
    ) -> Monitor:
        """Make the reference, and the schema where there is none, of rows at hand.

        Parameters
        ----------
        rows
            A sequence of mappings, or a mapping of names to sequences or arrays, in the order of
            time. In an array of floats NaN is a missing value; in a list it is not finite.
        predictions, labels
            As long as the rows.

        Returns
        -------
        Monitor
            This object.
        """
        self.schema = self.schema or infer_schema(rows)
        extra: dict[Role, Values] = {}
        if predictions is not None and any(value is not None for value in predictions):
            extra["prediction"] = predictions
        if labels is not None:
            extra["label"] = labels
        self._use(fit_reference(rows, self.schema, self.config, extra))
        return self

    def compare(self, rows: Rows | Columns, *, predictions: Values | None = None) -> SkewReport:
        """Compare rows with the reference, as one span; nothing is remembered.

        Parameters
        ----------
        rows, predictions
            As for `fit`.

        Returns
        -------
        SkewReport
            A result for each column.

        Raises
        ------
        StateError
            There is no reference yet.
        """
        if self.reference is None or self.schema is None:
            raise StateError("without a reference", "compare", "call fit, or observe more events")
        return compare_rows(rows, self.schema, self.reference, self.config, predictions)

    def observe(
        self,
        events: Rows | Columns,
        times: Sequence[float] | FloatArray | None = None,
        *,
        predictions: Values | None = None,
        now: float | None = None,
    ) -> Observation:
        """Take in a batch of events.

        Parameters
        ----------
        events
            Rows or columns, in the order of arrival.
        times
            Event times in seconds since the epoch, finite, shape (rows,); default the number of
            the event.
        predictions
            What the model said, shape (rows,).
        now
            Seconds since the epoch, for cooldown and daily limit; default the event time of the
            pane that closes.

        Returns
        -------
        Observation
            Errors and anomalies of the events, and the panes that were closed. Whatever the
            events hold, nothing is raised.
        """
        rows = row_count(events)
        numbers = np.arange(self._seen, self._seen + rows)
        when = np.asarray(numbers if times is None else times, dtype=np.float64)
        if self.recorder is None:
            return self._warm_up(events, when, predictions, now)
        batch = self.check(events)
        panes = self.count(batch, when, predictions=predictions, now=now)
        return Observation(batch.errors, batch.anomalies, panes)

    def snapshot(self, *, with_reference: bool = True) -> dict[str, Any]:
        """Give the whole state as plain data that any JSON writer takes.

        Parameters
        ----------
        with_reference
            Whether to include the reference; it may be kept elsewhere, as it does not change.

        Returns
        -------
        dict
            Equal states give equal data. The River detector is not in it: keep
            `monitor.concept.detector` beside the model.
        """
        return write_snapshot(
            Snapshot(
                schema=self.schema,
                reference=self.reference if with_reference else None,
                open=self.recorder.open if self.recorder else Pane(),
                closed=self.panes,
                key=self.recorder.key if self.recorder else None,
                index=self._assessor.index,
                seen=self._seen,
                trigger=self.trigger.memory,
                concept=self.concept.snapshot(),
                warmup=self._warmup.kept,
                labels=(self._assessor.labels, list(self._assessor.labels_closed)),
            )
        )

    @classmethod
    def restore(
        cls,
        data: object,
        config: MonitorConfig | None = None,
        *,
        reference: Reference | None = None,
        detector: LossDetector | None = None,
    ) -> Monitor:
        """Go on from a snapshot.

        Parameters
        ----------
        data
            What `snapshot` gave, also after a trip through JSON.
        config, reference, detector
            As before: the reference where the snapshot has none, and the live detector that was
            kept beside it; without one a new one begins.

        Returns
        -------
        Monitor
            In the state of the snapshot; `report` is empty until a pane closes.

        Raises
        ------
        DamagedError
            Not a snapshot.
        """
        stored = read_snapshot(data)
        monitor = cls(
            config, schema=stored.schema, reference=stored.reference or reference,
            detector=detector,
        )  # fmt: skip
        monitor.concept = ConceptMonitor.restore(stored.concept, monitor.config.concept, detector)
        if monitor.recorder is not None:
            monitor.recorder.open, monitor.recorder.key = stored.open, stored.key
        monitor._assessor.closed.extend(stored.closed)
        monitor._assessor.labels = stored.labels[0]
        monitor._assessor.labels_closed.extend(stored.labels[1])
        monitor._assessor.index, monitor._seen = stored.index, stored.seen
        monitor.trigger.memory, monitor._warmup.kept = stored.trigger, stored.warmup
        return monitor

    def _warm_up(
        self,
        events: Rows | Columns,
        when: FloatArray,
        predictions: Values | None,
        now: float | None,
    ) -> Observation:
        used, first = self._warmup.take(events, predictions, self.schema)
        self._seen += used
        if not self._warmup.complete:
            return first
        kept, self._warmup.kept = self._warmup.kept, []
        self.fit([event for event, _ in kept], predictions=[said for _, said in kept])
        rest = as_rows(events)[used:]
        said = None if predictions is None else predictions[used:]
        after = self.observe(rest, when[used:], predictions=said, now=now)
        moved = {row + used: noted for row, noted in after.anomalies.items()}
        errors = np.concatenate([first.errors, after.errors])
        return Observation(errors, {**first.anomalies, **moved}, after.panes, fitted=True)
