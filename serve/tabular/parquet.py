"""Rows of a Parquet file, a batch of columns at a time, through pyarrow.

pyarrow is optional: it is the extra ``parquet``. It is found when a file is opened, so that the
rest of riverrun does not need it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from stream.errors import InputError

Values = list[Any] | np.ndarray[Any, Any]


class ParquetFile:
    """A Parquet file, opened for one reading.

    Parameters
    ----------
    path
        The file.

    Attributes
    ----------
    columns
        Names that can be read.
    times
        Those of dates and timestamps; they are read as seconds since the epoch.
    refused
        Columns that cannot be read, such as lists, and why.
    size, position
        Rows of the file, and those that were read so far.

    Raises
    ------
    InputError
        When it is missing or damaged, or pyarrow is not installed.
    """

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        if path.is_dir():
            raise InputError(f"{path}: this is a folder; name a file in it")
        if not path.exists():
            raise InputError(f"{path}: no such file")
        try:
            self._arrow: Any = import_module("pyarrow")
            parquet: Any = import_module("pyarrow.parquet")
        except ImportError:
            raise InputError(
                f"{path}: Parquet is read with pyarrow, which is not installed; "
                "pip install 'riverrun[parquet]'"
            ) from None
        with self._translated():
            self._file: Any = parquet.ParquetFile(path)
        self.size = int(self._file.metadata.num_rows)
        self.position = 0
        self.refused: dict[str, str] = {}
        self.times: set[str] = set()
        self.columns: list[str] = []
        for field in self._file.schema_arrow:
            self._sort(field.name, field.type)

    def batches(self, rows: int) -> Iterator[tuple[int, dict[str, Values]]]:
        """Read the file.

        Parameters
        ----------
        rows
            Rows in a batch; the last one may have fewer.

        Yields
        ------
        tuple
            How many rows, and the values by column: an array, in which NaN is missing, or a list.
        """
        with self._translated():
            for batch in self._file.iter_batches(batch_size=rows, columns=self.columns):
                self.position += batch.num_rows
                found = dict(zip(batch.schema.names, batch.columns, strict=True))
                yield batch.num_rows, {name: self._values(found[name]) for name in self.columns}

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _sort(self, name: str, kind: Any) -> None:
        types = self._arrow.types
        if types.is_dictionary(kind):
            kind = kind.value_type
        if name in self.columns or name in self.refused:
            raise InputError(f"{self.name}: columns stand twice: {name}")
        if types.is_date(kind) or types.is_timestamp(kind):
            self.times.add(name)
        elif not (types.is_primitive(kind) or types.is_decimal(kind) or _is_text(types, kind)):
            self.refused[name] = f"holds values of type {kind}"
            return
        self.columns.append(name)

    def _values(self, column: Any) -> Values:
        types, kind = self._arrow.types, column.type
        if types.is_dictionary(kind):
            column, kind = column.dictionary_decode(), kind.value_type
        if types.is_date(kind):
            column = column.cast(self._arrow.timestamp("us"))
        if types.is_temporal(kind):
            return self._seconds(column)
        if types.is_floating(kind) or types.is_decimal(kind):
            column = column.cast(self._arrow.float64())
            return np.asarray(column.to_numpy(zero_copy_only=False))
        if types.is_integer(kind) and not column.null_count:
            return np.asarray(column.to_numpy(zero_copy_only=False))
        values: list[Any] = column.to_pylist()
        return values

    def _seconds(self, column: Any) -> Values:
        units = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
        parts = units[getattr(column.type, "unit", "us")]
        wide = "32" not in str(column.type)
        whole = column.view(self._arrow.int64() if wide else self._arrow.int32())
        numbers = whole.cast(self._arrow.float64(), safe=False)
        return np.asarray(numbers.to_numpy(zero_copy_only=False) / parts)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (self._arrow.ArrowException, OSError) as error:
            problem = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise InputError(f"{self.name}: not readable as Parquet: {problem}") from None


def _is_text(types: Any, kind: Any) -> bool:
    return bool(
        types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_string_view(kind)
        or types.is_null(kind)
    )
