"""Where a batch of events is cut into panes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from monitor.arrays import FloatArray
from monitor.config import PaneConfig


@dataclass(frozen=True, slots=True)
class Stretch:
    """Rows of a batch that belong to one pane.

    Parameters
    ----------
    rows
        Which rows.
    key
        Number of the pane on the axis of event time; None where panes are cut by count.
    late
        Rows whose own pane is closed; they count in the open one.
    opens
        The open pane closes before these rows.
    closes
        The pane closes after these rows.
    """

    rows: slice
    key: int | None
    late: int
    opens: bool
    closes: bool


def cut(times: FloatArray, open_events: int, key: int | None, config: PaneConfig) -> list[Stretch]:
    """Cut a batch where panes end.

    Parameters
    ----------
    times
        Event times in seconds, shape (rows,).
    open_events
        Events in the open pane.
    key
        Number of the open pane on the axis of event time, if there is one.
    config
        By count or by time.

    Returns
    -------
    list of Stretch
        In order, every row in one of them; the same cuts however the events come in batches.

    Examples
    --------
    >>> [s.rows for s in cut(np.arange(25.0), 5, None, PaneConfig(events=10))]
    [slice(0, 5, None), slice(5, 15, None), slice(15, 25, None)]
    >>> [(s.key, s.late) for s in cut(np.array([1.0, 9.0, 8.0, 12.0, 3.0]), 0, None,
    ...                                PaneConfig(seconds=10.0))]
    [(0, 0), (1, 1)]
    """
    rows = len(times)
    if config.seconds is None:
        ends = [*range(config.events - open_events, rows + 1, config.events)]
        bounds = [0, *ends, *([rows] if not ends or ends[-1] < rows else [])]
        return [
            Stretch(slice(start, end), None, 0, opens=False, closes=end in ends)
            for start, end in pairwise(bounds)
            if end > start
        ]
    own = np.floor(times / config.seconds).astype(np.int64)
    if not rows:
        return []
    reached = np.maximum.accumulate(own if key is None else np.maximum(own, key))
    starts = [0, *(np.flatnonzero(np.diff(reached)) + 1).tolist()]
    result = []
    for start, end in zip(starts, [*starts[1:], rows], strict=True):
        at = int(reached[start])
        late = int(np.count_nonzero(own[start:end] < at))
        opens = open_events > 0 and key is not None and at > key if start == 0 else True
        result.append(Stretch(slice(start, end), at, late, opens=opens, closes=False))
    return result
