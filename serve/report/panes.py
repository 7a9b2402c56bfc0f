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

    def ratios(self) -> dict[str, dict[str, float | None]]:
        """Return by ``role/name`` of a column, its ratio by the pane's number."""
        found: dict[str, dict[str, float | None]] = {}
        for one in self.panes:
            layout = self._layouts.get(one.row.layout)
            for (role, name), ratio in _by_column(layout, one.row.summary.ratios):
                found.setdefault(f"{role}/{name}", {})[str(one.row.index)] = ratio
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
    ratios: dict[str, dict[str, float | None]], panes: Sequence[int]
) -> tuple[list[str], list[list[int]], np.ndarray[Any, np.dtype[np.float64]]]:
    """Return rows, the panes of each cell, and the largest ratio in it.

    The columns that went furthest come first, at most ``FEATURES_SHOWN``; of more panes than
    ``CELLS_WIDE`` several share a cell. NaN: too few values.
    """
    cells = [list(map(int, part)) for part in np.array_split(panes, min(CELLS_WIDE, len(panes)))]
    largest = {
        name: max((ratio for ratio in found.values() if ratio is not None), default=-1.0)
        for name, found in ratios.items()
    }
    names = sorted(ratios, key=lambda name: -largest[name])[:FEATURES_SHOWN]
    values = np.full((len(names), len(cells)), np.nan)
    for y, name in enumerate(names):
        for x, cell in enumerate(cells):
            known = [r for pane in cell if (r := ratios[name].get(str(pane))) is not None]
            if known:
                values[y, x] = max(known)
    return names, cells, values


def _by_column(
    layout: Layout | None, ratios: Sequence[float | None]
) -> list[tuple[tuple[str, str], float | None]]:
    if layout is None:
        return []
    pairs = zip(layout.columns, ratios, strict=False)
    return [((column.role, column.name), ratio) for column, ratio in pairs]
