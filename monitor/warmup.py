"""The first events of a stream, kept until there are enough for a reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from monitor.columns import Columns, Rows, as_rows
from monitor.counting import check_batch
from monitor.observation import Observation
from monitor.schema import Schema

Kept = list[tuple[Mapping[str, Any], Any]]


@dataclass(slots=True)
class WarmUp:
    """Events with the predictions that were made on them.

    Parameters
    ----------
    wanted
        How many make a reference.
    kept
        Those so far; events in error are none of them.

    Examples
    --------
    >>> warmup = WarmUp(wanted=2)
    >>> used, _ = warmup.take([{"a": 1}, {"a": 2}, {"a": 3}], None, None)
    >>> used, warmup.complete
    (2, True)
    """

    wanted: int
    kept: Kept = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether there are enough."""
        return len(self.kept) >= self.wanted

    def take(
        self, events: Rows | Columns, predictions: Any, schema: Schema | None
    ) -> tuple[int, Observation]:
        """Keep events, as many as are wanted.

        Parameters
        ----------
        events
            Rows or columns.
        predictions
            As long as they are, or None.
        schema
            What they are checked against, where there is one already.

        Returns
        -------
        tuple
            How many rows were used, and what is wrong with them. The last row used is the last
            that was wanted, however the events come in batches.
        """
        rows = as_rows(events)
        checked = check_batch(rows, schema) if schema else None
        errors = checked.errors if checked else np.zeros(len(rows), dtype=np.bool_)
        good = np.flatnonzero(~errors)[: self.wanted - len(self.kept)]
        full = len(good) == self.wanted - len(self.kept)
        used = int(good[-1]) + 1 if full and len(good) else len(rows)
        self.kept += [
            (rows[at], None if predictions is None else _plain(predictions[at]))
            for at in good.tolist()
        ]
        anomalies = {
            row: noted
            for row, noted in (checked.anomalies if checked else {}).items()
            if row < used
        }
        return used, Observation(errors[:used], anomalies)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
