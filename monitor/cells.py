"""The cells of a checked batch, counted a stretch of rows at a time."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from monitor.arrays import IntArray
from monitor.bins import NumericBins
from monitor.columns import Column
from monitor.layout import Layout

_SORTED_MAX = 1 << 16


class BatchCells:
    """Columns of a batch, each with its place among a pane's cells.

    Parameters
    ----------
    layout
        The bins.
    columns
        Position in the layout, and values in the form that its bins take; of the same length.

    Examples
    --------
    >>> from monitor.layout import ColumnLayout
    >>> layout = Layout((ColumnLayout("x", "feature", NumericBins((1.0,), (0.5, 1.5))),))
    >>> cells = BatchCells(layout, [(0, Column(np.array([0.0, 2.0, 3.0]), None))])
    >>> cells.counts(slice(0, 3)).tolist(), cells.counts(slice(0, 1)).tolist()
    ([1, 2, 0, 0], [1, 0, 0, 0])
    """

    def __init__(self, layout: Layout, columns: Iterable[tuple[int, Column]]) -> None:
        self._layout = layout
        self._numeric: list[tuple[int, NumericBins, Column]] = []
        self._others: list[tuple[int, Column]] = []
        for at, column in columns:
            bins = layout.columns[at].bins
            if isinstance(bins, NumericBins):
                self._numeric.append((at, bins, column))
            else:
                self._others.append((at, column))

    def counts(self, rows: slice) -> IntArray:
        """Count the cells of some rows; shape (cells of the layout,).

        Parameters
        ----------
        rows
            From where to where, without a step.
        """
        counts = np.zeros(self._layout.cells, dtype=np.int64)
        count = max(1, rows.stop - rows.start)
        # All columns are sorted by one call, or as many as stay in the processor's cache.
        together = max(1, _SORTED_MAX // count)
        for first in range(0, len(self._numeric), together):
            some = self._numeric[first : first + together]
            values = np.array([column.values[rows] for _, _, column in some])
            values.sort(axis=1)
            for (at, bins, column), ordered in zip(some, values, strict=True):
                into = self._layout.of_column(counts, at)
                bins.count_sorted(ordered, column.codes, rows, into)
        for at, column in self._others:
            into = self._layout.of_column(counts, at)
            into += self._layout.columns[at].bins.counts(_part(column, rows))
        return counts


def _part(column: Column, rows: slice) -> Column:
    codes = None if column.codes is None else column.codes[rows]
    return Column(column.values[rows], codes)
