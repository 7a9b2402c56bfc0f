"""A bounded part of a file, kept as columns: evenly spaced rows, or the last ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from serve.tabular.kinds import joined
from serve.tabular.table import Values

CELLS_MAX = 10_000_000
"""Cells that are kept: 80 MB of numbers."""

_MEMO_MAX = 100_000


@dataclass(frozen=True, slots=True)
class _Piece:
    """Rows of one batch: the first one's number in the file, how many, and their values."""

    first: int
    rows: int
    columns: Mapping[str, Values]


class Sample:
    """Takes a file's batches, and keeps what fits.

    Parameters
    ----------
    cells_max
        Rows times columns that are kept at most.
    last
        Keep the last rows without a gap, instead of evenly spaced ones.

    Attributes
    ----------
    rows
        Rows that were taken.
    stride
        Of evenly spaced rows: the first of every so many is kept.

    Examples
    --------
    >>> sample = Sample(cells_max=4)
    >>> for start in (0, 3):
    ...     sample.add(start, 3, {"a": [start, start + 1, start + 2]})
    >>> sample.column("a"), sample.stride, sample.kept
    ([0, 2, 4], 2, 3)
    """

    def __init__(self, *, cells_max: int = CELLS_MAX, last: bool = False) -> None:
        self.rows = 0
        self.stride = 1
        self._pieces: deque[_Piece] = deque()
        self._cells_max = cells_max
        self._last = last
        self._cells = 0
        self._memos: dict[str, dict[str, str]] = {}

    @property
    def kept(self) -> int:
        """Rows that are kept."""
        return sum(piece.rows for piece in self._pieces)

    def add(self, start: int, rows: int, columns: Mapping[str, Values]) -> None:
        """Take a batch.

        Parameters
        ----------
        start, rows
            Rows of the file before it, and in it.
        columns
            Its values; a column that is not there is missing.
        """
        self.rows = start + rows
        skip = -start % self.stride
        kept = {
            name: self._shared(name, _every(values, skip, self.stride))
            for name, values in columns.items()
        }
        piece = _Piece(start + skip, len(range(skip, rows, self.stride)), kept)
        self._pieces.append(piece)
        self._cells += piece.rows * len(kept)
        while self._cells > self._cells_max and self.kept > 1:
            if not self._last:
                self._thin()
            elif len(self._pieces) > 1:
                gone = self._pieces.popleft()
                self._cells -= gone.rows * len(gone.columns)
            else:
                break

    def column(self, name: str) -> Values:
        """Give a column of the rows that are kept; None where it was not there.

        Parameters
        ----------
        name
            Its name.

        Returns
        -------
        list or array
            Shape (kept,).
        """
        pieces = [piece.columns.get(name, [None] * piece.rows) for piece in self._pieces]
        return joined(pieces) if pieces else []

    def _thin(self) -> None:
        thinned = []
        for piece in self._pieces:
            skip = piece.first // self.stride % 2
            columns = {name: _every(values, skip, 2) for name, values in piece.columns.items()}
            rows = len(range(skip, piece.rows, 2))
            thinned.append(_Piece(piece.first + skip * self.stride, rows, columns))
        self._pieces = deque(piece for piece in thinned if piece.rows)
        self._cells = sum(piece.rows * len(piece.columns) for piece in self._pieces)
        self.stride *= 2

    def _shared(self, name: str, values: Values) -> Values:
        """Keep equal strings once: a file has each of its few categories many times."""
        if isinstance(values, np.ndarray) or not set(map(type, values)) <= {str, type(None)}:
            return values
        memo = self._memos.setdefault(name, {})
        if len(memo) > _MEMO_MAX:
            memo.clear()
        share: Any = memo.setdefault
        return [share(value, value) for value in values]


def _every(values: Values, skip: int, step: int) -> Values:
    if step == 1:
        return values
    part = values[skip::step]
    # A view would keep the whole array in memory.
    return part.copy() if isinstance(part, np.ndarray) else part
