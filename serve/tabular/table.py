"""A person's file as columns, a batch of rows at a time: CSV, TSV, JSON lines or Parquet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Self

import numpy as np

from serve.tabular.files import STDIN, Row, TableFile
from serve.tabular.parquet import ParquetFile
from stream.errors import InputError

BATCH_ROWS = 10_000
"""Rows in a batch: whole panes of 1,000 events, and enough to tell what a column holds."""

COLUMNS_MAX = 10_000
Values = list[Any] | np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows.

    Parameters
    ----------
    start
        Rows of the file that came before.
    places
        The line, or in Parquet the row, of each of them; from 1.
    columns
        Values by column, as long as the rows. Of a CSV file these are texts. Of JSON lines there
        are those columns that occur in the batch.
    events
        Of JSON lines the rows as they stand, where absent and null are told apart.
    """

    start: int
    places: Sequence[int]
    columns: Mapping[str, Values]
    events: Sequence[Mapping[str, Any]] | None = None

    @property
    def rows(self) -> int:
        """How many rows."""
        return len(self.places)


class Table:
    """A file of rows, opened for one reading.

    Parameters
    ----------
    path
        A .csv, .tsv or .jsonl file, also with .gz; or .parquet.

    Attributes
    ----------
    is_text
        Whether values are texts, whose type is to be guessed or declared.
    unit
        What `Batch.places` are: ``line`` or ``row``.
    columns
        Names in the order of the file; of JSON lines those that were met so far.
    times, refused
        As in `ParquetFile`; empty for other files.

    Raises
    ------
    InputError
        When it is missing, unreadable, empty, or of an unknown kind.
    """

    def __init__(self, path: Path) -> None:
        if path == STDIN:
            raise InputError("the file is read by its name, not from standard input")
        self._parquet = ParquetFile(path) if _is_parquet(path) else None
        self._file = None if self._parquet else TableFile(path)
        opened = self._parquet or self._file
        self.name = str(path)
        self.size = opened.size if opened else 0
        self.is_text = bool(self._file and self._file.is_csv)
        self.unit = "row" if self._parquet else "line"
        self.columns: dict[str, None] = dict.fromkeys((opened.columns if opened else None) or ())
        self.times = self._parquet.times if self._parquet else set()
        self.refused = self._parquet.refused if self._parquet else {}

    @property
    def position(self) -> int:
        """How much of `size` was read so far."""
        opened = self._parquet or self._file
        return opened.position if opened else 0

    def batches(self, rows: int = BATCH_ROWS) -> Iterator[Batch]:
        """Read the file.

        Parameters
        ----------
        rows
            Rows in a batch; the last one may have fewer.

        Yields
        ------
        Batch
            In order; none where there are no rows.
        """
        if self._parquet is not None:
            start = 0
            for count, columns in self._parquet.batches(rows):
                yield Batch(start, range(start + 1, start + count + 1), columns)
                start += count
        elif self._file is not None:
            yield from self._text_batches(self._file, rows)

    def _text_batches(self, file: TableFile, rows: int) -> Iterator[Batch]:
        start, each = 0, iter(file)
        while some := list(islice(each, rows)):
            yield self._csv_batch(some, start) if self.is_text else self._json_batch(some, start)
            start += len(some)

    def _csv_batch(self, some: list[Row], start: int) -> Batch:
        cells = zip(*(row.cells.values() for row in some), strict=True)
        columns: dict[str, Values] = dict(zip(self.columns, map(list, cells), strict=True))
        return Batch(start, [row.line for row in some], columns)

    def _json_batch(self, some: list[Row], start: int) -> Batch:
        events = [row.cells for row in some]
        names = dict.fromkeys(name for event in events for name in event)
        self.columns.update(names)
        if len(self.columns) > COLUMNS_MAX:
            raise InputError(
                f"{self.name}, line {some[-1].line}: found more than {COLUMNS_MAX:,} different "
                "names; rows of the same columns are expected"
            )
        columns: dict[str, Values] = {name: [event.get(name) for event in events] for name in names}
        return Batch(start, [row.line for row in some], columns, events)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._parquet is not None:
            self._parquet.close()
        if self._file is not None:
            self._file.__exit__()


def _is_parquet(path: Path) -> bool:
    return path.suffix.lower() in (".parquet", ".pq")
