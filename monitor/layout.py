"""The layout: the bins of all columns, and where each column's cells lie in a pane's counts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import msgspec
import numpy as np

from monitor.arrays import FloatArray, IntArray
from monitor.bins import Bins, CategoricalBins, NumericBins, PresenceBins
from monitor.errors import DamagedError

Role = Literal["feature", "prediction", "label"]
ROLES: tuple[Role, ...] = ("feature", "prediction", "label")


@dataclass(frozen=True, slots=True)
class ColumnLayout:
    """One column of a layout.

    Parameters
    ----------
    name
        The feature's name; `prediction` and `label` for the model's side.
    role
        What the column is. A feature may have any name, also `label`.
    bins
        How its values become cells.
    """

    name: str
    role: Role
    bins: Bins


class _StoredColumn(msgspec.Struct, omit_defaults=True):
    name: str
    role: Role
    kind: Literal["numeric", "categorical", "presence"]
    edges: tuple[float, ...] = ()
    centres: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    boolean: bool = False


@dataclass(frozen=True)
class Layout:
    """The bins of every column that is counted, in order.

    Parameters
    ----------
    columns
        Unique by role and name.

    Examples
    --------
    >>> layout = Layout((ColumnLayout("a", "feature", PresenceBins()),))
    >>> layout.cells, layout.offsets.tolist()
    (3, [0, 3])
    """

    columns: tuple[ColumnLayout, ...]

    @cached_property
    def offsets(self) -> IntArray:
        """Shape (columns + 1,): where each column's cells begin, and the end."""
        sizes = [column.bins.size + 2 for column in self.columns]
        return np.cumsum([0, *sizes], dtype=np.int64)

    @property
    def cells(self) -> int:
        """Number of cells of all columns."""
        return int(self.offsets[-1])

    @cached_property
    def index(self) -> Mapping[tuple[Role, str], int]:
        """Position of each column by (role, name)."""
        return {(column.role, column.name): at for at, column in enumerate(self.columns)}

    @cached_property
    def of_role(self) -> Mapping[Role, IntArray]:
        """Positions of the columns with each role."""
        roles = [column.role for column in self.columns]
        return {role: np.flatnonzero([role == own for own in roles]) for role in ROLES}

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that differ where the bins differ."""
        return hashlib.sha256(self.to_bytes()).hexdigest()[:16]

    def of_column(self, counts: IntArray, at: int) -> IntArray:
        """Cut one column's cells out of a pane's counts.

        Parameters
        ----------
        counts
            Shape (cells,).
        at
            The column's position.

        Returns
        -------
        array
            Shape (size + 2,), a view.
        """
        return counts[self.offsets[at] : self.offsets[at + 1]]

    @cached_property
    def _padded(self) -> IntArray:
        widest = max((column.bins.size + 1 for column in self.columns), default=1)
        index = np.full((len(self.columns), widest), self.cells, dtype=np.int64)
        for at, column in enumerate(self.columns):
            # The missing cell comes first, so that own cells are contiguous whatever their number.
            size, start = column.bins.size, int(self.offsets[at])
            index[at, 0] = start + size
            index[at, 1 : size + 1] = np.arange(start, start + size)
        return index

    def padded(self, counts: IntArray) -> FloatArray:
        """Give the counts as one matrix, so that all columns are tested at once.

        Parameters
        ----------
        counts
            Shape (..., cells).

        Returns
        -------
        array
            Shape (..., columns, 1 + widest column): missing first, own cells, zeros. Values that
            cannot be used are left out.
        """
        with_zero = np.zeros((*counts.shape[:-1], self.cells + 1))
        with_zero[..., :-1] = counts
        return np.asarray(with_zero.take(self._padded, axis=-1))

    def to_bytes(self) -> bytes:
        """Write the layout as JSON; equal layouts give equal bytes."""
        return msgspec.json.encode([_store(column) for column in self.columns])

    @classmethod
    def from_bytes(cls, data: bytes) -> Layout:
        """Read what `to_bytes` wrote.

        Parameters
        ----------
        data
            JSON.

        Returns
        -------
        Layout
            The layout.

        Raises
        ------
        DamagedError
            Not a layout.
        """
        try:
            stored = msgspec.json.decode(data, type=list[_StoredColumn])
        except msgspec.DecodeError as error:
            raise DamagedError("layout", str(error)) from error
        return cls(tuple(_load(column) for column in stored))


def _store(column: ColumnLayout) -> _StoredColumn:
    fields: dict[str, Any] = {key: v for key, v in vars(column.bins).items() if key[0] != "_"}
    return _StoredColumn(name=column.name, role=column.role, **fields)


def _load(stored: _StoredColumn) -> ColumnLayout:
    bins: Bins = PresenceBins()
    if stored.kind == "numeric":
        if len(stored.centres) != len(stored.edges) + 1:
            raise DamagedError("layout", f"{stored.name}: as many centres as cells are expected")
        bins = NumericBins(stored.edges, stored.centres)
    elif stored.kind == "categorical":
        bins = CategoricalBins(stored.categories, stored.others, stored.boolean)
    return ColumnLayout(stored.name, stored.role, bins)
