"""Bins: how the values of one column become cells that are counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, repeat
from typing import Any, Literal, Protocol

import numpy as np

from monitor.arrays import CodeArray, FloatArray, IntArray
from monitor.columns import MISSING, NOT_FINITE, WRONG_TYPE, Column
from monitor.schema import Feature

FIT_ROWS_MAX = 200_000
KNOWN_MAX = 10_000
CATEGORY_LENGTH_MAX = 256
CROWDED_COUNT_MIN = 30
_QUARTER_MAX = 4.2e307


class Bins(Protocol):
    """What every kind of bins can do.

    The cells of a column are its `size` own cells, then one for missing values, then one for
    values that cannot be used (of the wrong type, or not finite). The last one is no part of the
    distribution.
    """

    @property
    def kind(self) -> Literal["numeric", "categorical", "presence"]:
        """Which kind it is."""

    @property
    def size(self) -> int:
        """Number of own cells."""

    def cells(self, column: Column) -> IntArray:
        """Give the cell of each row; shape (rows,)."""

    def counts(self, column: Column) -> IntArray:
        """Count the cells of a column; shape (size + 2,)."""

    def reference_counts(self, column: Column, ends: IntArray) -> IntArray:
        """Count the column these bins were made from, in parts; shape (parts, size + 2)."""

    def label(self, cell: int) -> str:
        """Name a cell for people."""


def _label_beyond(size: int, cell: int) -> str:
    return "missing" if cell == size else "unusable"


def _special(cells: IntArray, column: Column, size: int) -> IntArray:
    if column.codes is not None:
        cells[column.codes == MISSING] = size
        cells[(column.codes == WRONG_TYPE) | (column.codes == NOT_FINITE)] = size + 1
    return cells


def _counted(cells: IntArray, ends: IntArray, size: int) -> IntArray:
    return np.stack([np.bincount(part, minlength=size + 2) for part in np.split(cells, ends)])


@dataclass(frozen=True)
class NumericBins:
    """Bins of equal mass in the reference; a value with a bin's mass or more has its own.

    Parameters
    ----------
    edges
        Increasing; cell j holds the values in (edges[j - 1], edges[j]], both ends are open.
    centres
        Shape (len(edges) + 1,): the reference's median in each cell. The outer cells' centres
        winsorise what lies beyond.

    Examples
    --------
    >>> bins = NumericBins((1.0, 2.0), (0.5, 1.5, 2.5))
    >>> bins.cells(Column(np.array([0.0, 1.0, 1.1, 9.0]), None)).tolist()
    [0, 0, 1, 2]
    """

    edges: tuple[float, ...]
    centres: tuple[float, ...]
    kind: Literal["numeric"] = "numeric"

    @property
    def size(self) -> int:
        """Number of own cells."""
        return len(self.edges) + 1

    @cached_property
    def _edges(self) -> FloatArray:
        return np.array(self.edges, dtype=np.float64)

    def cells(self, column: Column) -> IntArray:
        """Give the cell of each row; shape (rows,)."""
        values = np.asarray(column.values, dtype=np.float64)
        return _special(self._edges.searchsorted(values).astype(np.int64), column, self.size)

    def counts(self, column: Column) -> IntArray:
        """Count the cells of a column; shape (size + 2,)."""
        counts = np.zeros(self.size + 2, dtype=np.int64)
        values = np.sort(np.asarray(column.values, dtype=np.float64))
        self.count_sorted(values, column.codes, slice(None), counts)
        return counts

    def reference_counts(self, column: Column, ends: IntArray) -> IntArray:
        """Count the column these bins were made from, in parts; shape (parts, size + 2)."""
        values = np.array(column.values, dtype=np.float64)
        bounds = [0, *ends.tolist(), len(values)]
        counts = np.zeros((len(bounds) - 1, self.size + 2), dtype=np.int64)
        for into, (start, stop) in zip(counts, pairwise(bounds), strict=True):
            part = values[start:stop]
            part.sort()
            self.count_sorted(part, column.codes, slice(start, stop), into)
        return counts

    def count_sorted(
        self, values: FloatArray, codes: CodeArray | None, rows: slice, into: IntArray
    ) -> None:
        """Count values that are in order already.

        To sort and then look up the few edges is faster than to look up every value.

        Parameters
        ----------
        values
            Increasing, NaN last.
        codes, rows
            The column's verdicts, and the rows that the values come from.
        into
            Zeros of shape (size + 2,), which the counts are put into.
        """
        own = len(values)
        if codes is not None:
            some = codes[rows]
            into[-2] = np.count_nonzero(some == MISSING)
            into[-1] = np.count_nonzero((some == WRONG_TYPE) | (some == NOT_FINITE))
            own -= int(into[-2] + into[-1])
        below = values.searchsorted(self._edges, side="right")
        last = len(below)
        into[:last] = below
        into[last] = own
        into[1 : last + 1] -= below

    def label(self, cell: int) -> str:
        """Name a cell for people."""
        if cell >= self.size:
            return _label_beyond(self.size, cell)
        if cell == 0:
            return f"<= {self.edges[0]:.6g}" if self.edges else "any"
        if cell == self.size - 1:
            return f"> {self.edges[-1]:.6g}"
        low, high = self.edges[cell - 1], self.edges[cell]
        return f"{high:.6g}" if high == np.nextafter(low, np.inf) else f"{low:.6g} to {high:.6g}"


@dataclass(frozen=True)
class CategoricalBins:
    """A vocabulary: the commonest categories by name, then other, then unseen.

    Parameters
    ----------
    categories
        Counted by name.
    others
        Further categories that the reference had, counted together as other. Anything else is
        unseen.
    boolean
        The values are bools, and the categories are `false` and `true`.

    Examples
    --------
    >>> bins = CategoricalBins(("a", "b"), ("c",))
    >>> bins.cells(Column(["b", "c", "z"], None)).tolist()
    [1, 2, 3]
    """

    categories: tuple[str, ...]
    others: tuple[str, ...] = ()
    boolean: bool = False
    kind: Literal["categorical"] = "categorical"

    @property
    def size(self) -> int:
        """Number of own cells."""
        return len(self.categories) + 2

    @cached_property
    def _table(self) -> dict[Any, int]:
        table: dict[Any, int] = dict.fromkeys(self.others, len(self.categories))
        table.update((name, cell) for cell, name in enumerate(self.categories))
        if self.boolean:
            table = {False: table["false"], True: table["true"]}
        return table | {None: self.size}

    def cells(self, column: Column) -> IntArray:
        """Give the cell of each row; shape (rows,)."""
        unseen = self.size - 1
        found = map(self._table.get, column.values, repeat(unseen))
        return _special(np.fromiter(found, np.int64, len(column.values)), column, self.size)

    def counts(self, column: Column) -> IntArray:
        """Count the cells of a column; shape (size + 2,)."""
        return np.bincount(self.cells(column), minlength=self.size + 2)

    def reference_counts(self, column: Column, ends: IntArray) -> IntArray:
        """Count the column these bins were made from, in parts; shape (parts, size + 2).

        Each row is looked up in the vocabulary of all other rows, so that a category that comes
        once counts as unseen: the mass that a later sample will have there (Good 1953, Biometrika
        40).
        """
        cells = self.cells(column)
        if not self.boolean:
            counts = Counter(column.values)
            counts[None] = 2
            alone = np.fromiter((counts[v] == 1 for v in column.values), np.bool_, len(cells))
            cells[alone] = self.size - 1
        return _counted(cells, ends, self.size)

    def label(self, cell: int) -> str:
        """Name a cell for people."""
        if cell < len(self.categories):
            return self.categories[cell]
        if cell < self.size:
            return ("(other)", "(unseen)")[cell - len(self.categories)]
        return _label_beyond(self.size, cell)


@dataclass(frozen=True)
class PresenceBins:
    """Only whether there is a value: for columns of no usable type, and those that are all null.

    Examples
    --------
    >>> PresenceBins().cells(Column([True, None], np.array([0, 1], dtype=np.uint8))).tolist()
    [0, 1]
    """

    kind: Literal["presence"] = "presence"

    @property
    def size(self) -> int:
        """Number of own cells."""
        return 1

    def cells(self, column: Column) -> IntArray:
        """Give the cell of each row; shape (rows,)."""
        return _special(np.zeros(len(column.values), dtype=np.int64), column, self.size)

    def counts(self, column: Column) -> IntArray:
        """Count the cells of a column; shape (size + 2,)."""
        return np.bincount(self.cells(column), minlength=self.size + 2)

    def reference_counts(self, column: Column, ends: IntArray) -> IntArray:
        """Count the column these bins were made from, in parts; shape (parts, size + 2)."""
        return _counted(self.cells(column), ends, self.size)

    def label(self, cell: int) -> str:
        """Name a cell for people."""
        return "present" if cell == 0 else _label_beyond(self.size, cell)


def fit_bins(column: Column, feature: Feature, *, bins: int = 32, categories: int = 100) -> Bins:
    """Make the bins of a column from its reference values.

    Parameters
    ----------
    column
        The reference, checked.
    feature
        Its declaration, for the type.
    bins
        Equal-mass bins of a numeric column.
    categories
        Categories counted by name.

    Returns
    -------
    Bins
        Presence only, where the column holds nothing that could be binned.

    Examples
    --------
    >>> fit_bins(Column(np.arange(100.0), None), Feature("a", "float"), bins=4).edges
    (24.0, 49.0, 74.0)
    >>> fit_bins(Column(np.array([5.0, 5.0]), None), Feature("a", "float")).label(1)
    '5'
    """
    if feature.type == "bool":
        return CategoricalBins(("false", "true"), boolean=True)
    if feature.type == "string":
        present = [value for value in column.values if value is not None]
        return _fit_categories(present, categories) if present else PresenceBins()
    if feature.type == "any":
        return PresenceBins()
    values = np.asarray(column.values, dtype=np.float64)
    if len(values) > FIT_ROWS_MAX:
        values = values[np.isfinite(values)]
        some = np.linspace(0, len(values) - 1, min(FIT_ROWS_MAX, len(values)))
        values = values[some.astype(np.int64)]
    values = np.sort(values)
    # What is not finite lies at the ends.
    first, last = values.searchsorted(-np.inf, side="right"), values.searchsorted(np.inf)
    return _fit_numbers(values[first:last], bins) if last > first else PresenceBins()


def _fit_numbers(values: FloatArray, bins: int) -> NumericBins:
    """Fit bins to finite values in order."""
    total = len(values)
    at = -(-np.arange(1, bins) * total // bins) - 1
    # A value is heavy where it is still the same so many places further on.
    further = max(2, -(-total // bins)) - 1
    heavy = values[further:][values[further:] == values[: total - further]]
    edges = np.unique(np.concatenate([values[at[at >= 0]], heavy, np.nextafter(heavy, -np.inf)]))
    if edges[-1] == values[-1] and (not len(heavy) or heavy[-1] != values[-1]):
        edges = edges[:-1]
    edges = edges[np.isfinite(edges)] + 0.0  # which makes -0 a 0
    bounds = np.concatenate([[0], values.searchsorted(edges, side="right"), [total]])
    return NumericBins(tuple(edges.tolist()), _centres(values, bounds))


def _centres(values: FloatArray, bounds: IntArray) -> tuple[float, ...]:
    """Give each cell its median; an empty one lies between, or a step beyond, its neighbours."""
    full = np.flatnonzero(np.diff(bounds))
    # Quartered, so that differences of the largest floats are no infinity.
    medians = values[(bounds[full] + bounds[full + 1]) // 2] / 4.0
    centres = np.interp(np.arange(len(bounds) - 1), full, medians)
    step = float(medians[-1] - medians[0]) / max(1, len(full) - 1) or 0.25
    centres[: full[0]] -= step
    centres[full[-1] + 1 :] += step
    return tuple((np.clip(centres, -_QUARTER_MAX, _QUARTER_MAX) * 4.0).tolist())


def _fit_categories(present: Sequence[str], categories: int) -> CategoricalBins:
    counts = Counter(present)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    usable = [(name, n) for name, n in ranked if len(name) <= CATEGORY_LENGTH_MAX]
    # Where categories compete for a place, those that won it by luck would shrink afterwards.
    least = CROWDED_COUNT_MIN if len(usable) > categories else 1
    named = [name for name, n in usable[:categories] if n >= least]
    others = [name for name, _ in usable[len(named) : KNOWN_MAX + len(named)]]
    return CategoricalBins(tuple(named), tuple(others))
