"""Rows of a file to score: CSV, TSV, JSON lines, or Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from serve.tabular.files import Row, TableFile
from serve.tabular.parquet import ParquetFile

_BATCH = 5_000


class ParquetRows:
    """A Parquet file row by row.

    Parameters
    ----------
    path
        The file.
    time
        The column that holds the event time, whose dates become milliseconds since the epoch;
        dates elsewhere become seconds.

    Raises
    ------
    InputError
        When it is missing or damaged, or pyarrow is not installed.
    """

    is_csv = False

    def __init__(self, path: Path, time: str | None) -> None:
        self._file = ParquetFile(path)
        self._milliseconds = time if time in self._file.times else None
        self.name = str(path)
        self.columns = self._file.columns
        self.size = self._file.size

    @property
    def position(self) -> int:
        """Rows that were read so far."""
        return self._file.position

    def __iter__(self) -> Iterator[Row]:
        number = 0
        for _, columns in self._file.batches(_BATCH):
            cells = [self._plain(name, values) for name, values in columns.items()]
            for row in zip(*cells, strict=True):
                number += 1
                pairs = zip(columns, row, strict=True)
                yield Row(number, {name: value for name, value in pairs if value is not None})

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _plain(self, name: str, values: Any) -> list[Any]:
        if not isinstance(values, np.ndarray):
            return list(values)
        if name == self._milliseconds:
            return [None if np.isnan(v) else round(v * 1000) for v in values.tolist()]
        if values.dtype.kind == "f":
            return [None if v != v else v for v in values.tolist()]  # noqa: PLR0124 - NaN: missing
        return list(values.tolist())


@contextmanager
def opened_rows(path: Path, time: str | None) -> Iterator[TableFile | ParquetRows]:
    """Open a file of rows, and close it afterwards.

    Parameters
    ----------
    path
        A .csv, .tsv or .jsonl, also with .gz; a .parquet; or ``-`` for JSON lines from stdin.
    time
        As for ``ParquetRows``.

    Raises
    ------
    InputError
    """
    if path.suffix.lower() not in (".parquet", ".pq"):
        with TableFile(path) as table:
            yield table
        return
    rows = ParquetRows(path, time)
    try:
        yield rows
    finally:
        rows.close()
