"""Closed panes of a span as what a page shows: ratios by feature, losses, states, marks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from monitor.layout import Layout
from monitor.performance import Performance
from serve.drift_history import DriftHistory
from serve.stored_monitor import scores_of
from stream.storage.history import History, StoredPane

CELLS_WIDE = 300
FEATURES_SHOWN = 60


class Past:
    """The panes of a span, oldest first.

    Parameters
    ----------
    history, drift
        Of the stream.
    start, end
        Event time in seconds since the epoch; None for open.

    Attributes
    ----------
    panes
        Without their counts.
    performance
        Of all of them together.
    """

    def __init__(
        self, history: History, drift: DriftHistory, start: float | None, end: float | None
    ) -> None:
        self.panes: list[StoredPane] = []
        self.performance = Performance()
        self._losses: list[dict[str, Any]] = []
        for stored in history.each(start, end, data=False):
            scores, _, _ = scores_of(stored)
            self.panes.append(stored)
            self.performance += scores
            self._losses.append({of: scores.mean(of) for of in models(scores)})
        self.panes.reverse()
        self._losses.reverse()
        self._layouts = drift.layouts((one.row.version, one.row.layout) for one in self.panes)

    def ratios(self) -> dict[str, list[float | None]]:
        """Return by ``role/name`` of a column, its ratio in each pane; None: too few values."""
        found: dict[str, list[float | None]] = {}
        for at, one in enumerate(self.panes):
            layout = self._layouts.get(one.row.layout)
            for (role, name), ratio in _by_column(layout, one.row.summary.ratios):
                row = found.setdefault(f"{role}/{name}", [None] * len(self.panes))
                row[at] = None if ratio is None else round(ratio, 4)
        return found

    def rows(self) -> list[dict[str, Any]]:
        """Return what was said of each pane."""
        return [
            {
                "pane": one.row.index,
                "version": one.row.version,
                "first": one.row.first,
                "last": one.row.last,
                "events": one.row.events,
                "errors": one.row.errors,
                "state": one.row.summary.state,
                "alarms": [name for _, name in one.row.summary.alarms],
                "mean_loss": loss,
            }
            for one, loss in zip(self.panes, self._losses, strict=True)
        ]

    def drifts(self) -> list[dict[str, Any]]:
        """Return the changes of the loss that were found."""
        return [
            {"found_at": drift.at_time, "since": drift.since_time, "by": drift.by}
            for one in self.panes
            for drift in one.row.summary.drifts
        ]

    def alarm_since(self) -> float | None:
        """Return when the alarms began that hold in the last pane; None without one."""
        since = None
        for one in reversed(self.panes):
            if not one.row.summary.alarms:
                break
            since = one.row.first
        return since


def models(performance: Performance) -> list[str]:
    """Return whose losses a performance has: the model, and the baselines."""
    return list(dict.fromkeys(model for model, feature, _, _ in performance.scores if not feature))


def grid(
    ratios: dict[str, list[float | None]], panes: int
) -> tuple[list[str], list[int], np.ndarray[Any, np.dtype[np.float64]]]:
    """Return rows, the position of each cell's last pane, and the largest ratio in each cell.

    The columns that went furthest come first, at most ``FEATURES_SHOWN``; of more panes than
    ``CELLS_WIDE`` several share a cell. NaN: too few values.

    Examples
    --------
    >>> grid({"feature/a": [0.2, None], "feature/b": [None, 1.5]}, 2)[0]
    ['feature/b', 'feature/a']
    """
    cells = np.array_split(np.arange(panes), min(CELLS_WIDE, panes))
    table = {
        name: np.array([np.nan if r is None else r for r in row]) for name, row in ratios.items()
    }
    furthest = {
        name: np.max(row, initial=-1.0, where=~np.isnan(row)) for name, row in table.items()
    }
    names = sorted(table, key=lambda name: -furthest[name])[:FEATURES_SHOWN]
    values = np.full((len(names), len(cells)), np.nan)
    for y, name in enumerate(names):
        for x, cell in enumerate(cells):
            known = table[name][cell]
            values[y, x] = np.max(known, initial=-1.0, where=~np.isnan(known))
    values[values < 0] = np.nan
    return names, [int(cell[-1]) for cell in cells], values


def _by_column(
    layout: Layout | None, ratios: Sequence[float | None]
) -> list[tuple[tuple[str, str], float | None]]:
    if layout is None:
        return []
    pairs = zip(layout.columns, ratios, strict=False)
    return [((column.role, column.name), ratio) for column, ratio in pairs]
