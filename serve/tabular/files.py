"""Rows of a person's file: CSV, TSV or JSON lines, packed with gzip or not.

Whatever is wrong with a file comes back as ``InputError`` with the line where it is.
"""

from __future__ import annotations

import csv
import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Self

import msgspec

from stream.errors import InputError

Scalar = str | int | float | bool | None

STDIN = Path("-")
"""Stands for standard input, which holds JSON lines."""

_CSV, _JSONL = (".csv", ".tsv"), (".jsonl", ".ndjson")
_DELIMITERS = ",;\t|"
_GZIP_START = b"\x1f\x8b"
_ALLOWED = "use .csv, .tsv, .jsonl or .ndjson, each also with .gz behind it"


class Row(NamedTuple):
    """One row.

    Parameters
    ----------
    line
        Its line in the file, from 1; the last one where it spans several.
    cells
        Values by column. Of a CSV file they are text without spaces around it, of JSON lines
        what stands there.
    """

    line: int
    cells: dict[str, Any]


class TableFile:
    r"""A file of rows, opened for one reading.

    Parameters
    ----------
    path
        The file, or ``-`` for JSON lines on standard input.

    Raises
    ------
    InputError
        When it is missing, unreadable, empty, or of an unknown kind.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "small.csv"
    ...     _ = path.write_text("id, size\n1, 2.5\n")
    ...     with TableFile(path) as table:
    ...         print(table.columns, [row.cells for row in table])
    ['id', 'size'] [{'id': '1', 'size': '2.5'}]
    """

    def __init__(self, path: Path) -> None:
        self.name = "standard input" if path == STDIN else str(path)
        self.is_csv = path != STDIN and _kind(path) in _CSV
        self._line = 0
        self._raw = _open(path, self.name)
        self.size = 0 if path == STDIN else path.stat().st_size
        try:
            with self._translated():
                self._text = io.TextIOWrapper(
                    _unpacked(self._raw, path, self.name), encoding="utf-8-sig", newline=""
                )
            self.columns = self._read_header() if self.is_csv else None
        except BaseException:
            self._raw.close()
            raise

    @property
    def position(self) -> int:
        """Bytes of the file that were read so far, for progress."""
        return self._raw.tell()

    def __iter__(self) -> Iterator[Row]:
        rows = self._csv_rows() if self.is_csv else self._jsonl_rows()
        with self._translated():
            yield from rows

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._text.close()
        self._raw.close()

    def _read_header(self) -> list[str]:
        with self._translated():
            first = self._text.readline()
            if not first.strip():
                raise InputError(
                    f"{self.name}: the file is empty; a line of column names is needed"
                )
            self._delimiter = max(_DELIMITERS, key=first.count)
            if Path(self.name.removesuffix(".gz")).suffix == ".tsv":
                self._delimiter = "\t"
            # The header may go on over several lines, where a name in quotes does.
            lines = self._lines(first)
            self._reader = csv.reader(
                lines, delimiter=self._delimiter, strict=True, skipinitialspace=True
            )
            names = [name.strip() for name in next(self._reader)]
        names = [name or f"column_{number}" for number, name in enumerate(names, 1)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise InputError(f"{self.name}, line 1: columns stand twice: {', '.join(twice)}")
        return names

    def _lines(self, first: str) -> Iterator[str]:
        self._line = 1
        yield first
        for line in self._text:
            self._line += 1
            yield line

    def _csv_rows(self) -> Iterator[Row]:
        columns = self.columns or []
        for cells in self._reader:
            if not cells:
                continue
            if len(cells) != len(columns):
                raise InputError(
                    f"{self.name}, line {self._line}: found {len(cells)} cells, but the header "
                    f"names {len(columns)} columns (delimiter {self._delimiter!r})"
                )
            yield Row(self._line, dict(zip(columns, map(str.strip, cells), strict=True)))

    def _jsonl_rows(self) -> Iterator[Row]:
        decode = msgspec.json.Decoder(dict[str, Scalar]).decode
        for line in self._text:
            self._line += 1
            if not line.strip():
                continue
            try:
                cells = decode(line)
            except msgspec.MsgspecError as error:
                raise InputError(
                    f"{self.name}, line {self._line}: {error}; each line must be one flat JSON "
                    'object, such as {"id": "a", "size": 2.5}'
                ) from None
            yield Row(self._line, cells)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        where = f"{self.name}, line {self._line + 1}"
        try:
            yield
        except UnicodeDecodeError as error:
            where = f"{self.name}, after line {self._line}"
            raise InputError(
                f"{where}: not UTF-8 text ({error.reason}); save it as UTF-8"
            ) from None
        except csv.Error as error:
            where = f"{self.name}, line {self._line}"
            raise InputError(f"{where}: {error}; correct the quotes there") from None
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(f"{where}: the gzip data are damaged: {error}") from None
        except OSError as error:
            raise InputError(f"{where}: {error.strerror or error}") from None


def _kind(path: Path) -> str:
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
    if suffix not in _CSV + _JSONL:
        shown = f"the extension {suffix!r}" if suffix else "no extension"
        raise InputError(f"{path}: found {shown}; {_ALLOWED}")
    return suffix


def _open(path: Path, name: str) -> BinaryIO:
    if path == STDIN:
        return sys.stdin.buffer
    if path.is_dir():
        raise InputError(f"{name}: this is a folder; name a file in it")
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise InputError(f"{name}: no such file") from None
    except OSError as error:
        raise InputError(f"{name}: {error.strerror}; make it readable") from None


def _unpacked(raw: BinaryIO, path: Path, name: str) -> BinaryIO:
    if not path.name.endswith(".gz"):
        return raw
    if raw.read(2) != _GZIP_START:
        raise InputError(f"{name}: it is named .gz but is not packed with gzip; rename or pack it")
    raw.seek(0)
    return gzip.GzipFile(fileobj=raw)  # type: ignore[return-value]
