"""Writing scored rows: CSV, JSON lines or Parquet; the whole file, or none."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import msgspec

from stream.errors import InputError
from stream.learner import decide, probabilities
from stream.sections import Task
from stream.storage.precomputed import Scored

COLUMNS = ("id", "time", "prediction", "probability", "label", "model_version")
"""Of CSV and Parquet; ``probability`` is that of the class that is predicted."""

_KINDS = (".csv", ".jsonl", ".ndjson", ".parquet")


class Writer(Protocol):
    """Takes scored rows, some at a time."""

    def write(self, rows: Sequence[Scored]) -> None:
        """Write rows."""


@contextmanager
def opened_out(path: Path | None, task: Task) -> Iterator[Writer | None]:
    """Open the file of results; it stands under its name once the block has ended well.

    Parameters
    ----------
    path
        A .csv, .jsonl or .parquet; ``-`` for JSON lines on standard output; None for none.
    task
        Of the model.

    Raises
    ------
    InputError
        Of an unknown kind, or it cannot be written.
    """
    if path is None:
        yield None
        return
    if str(path) == "-":
        try:
            yield _JsonLines(sys.stdout.buffer, task)
            sys.stdout.flush()
        except BrokenPipeError:
            # What is still buffered has nowhere to go, and would be complained of at the end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise InputError("--out -: whoever read standard output has closed it") from None
        return
    kind = path.suffix.lower()
    if kind not in _KINDS:
        raise InputError(f"--out: found {path.name!r}; use one of {', '.join(_KINDS)}, or -")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            if kind == ".parquet":
                with _parquet(file, task) as writer:
                    yield writer
            else:
                yield _Csv(file, task) if kind == ".csv" else _JsonLines(file, task)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise InputError(f"--out {path}: {error.strerror or error}") from None
    finally:
        part.unlink(missing_ok=True)


class _JsonLines:
    def __init__(self, file: Any, task: Task) -> None:
        self._file = file
        self._task = task

    def write(self, rows: Sequence[Scored]) -> None:
        encode, task = msgspec.json.encode, self._task
        lines = [
            encode(shown(one, task) | {"probabilities": probabilities(task, one.prediction)})
            for one in rows
        ]
        self._file.write(b"".join(line + b"\n" for line in lines))


class _Csv:
    def __init__(self, file: Any, task: Task) -> None:
        self._file = file
        self._task = task
        self._line(COLUMNS)

    def write(self, rows: Sequence[Scored]) -> None:
        for one in rows:
            self._line([_cell(value) for value in shown(one, self._task).values()])

    def _line(self, cells: Sequence[object]) -> None:
        kept = _Kept()
        csv.writer(kept, lineterminator="\n").writerow(cells)
        self._file.write(kept.text.encode())


class _Kept:
    text = ""

    def write(self, text: str) -> None:
        self.text += text


@contextmanager
def _parquet(file: Any, task: Task) -> Iterator[Writer]:
    try:
        arrow: Any = import_module("pyarrow")
        parquet: Any = import_module("pyarrow.parquet")
    except ImportError:
        raise InputError(
            "--out: Parquet is written with pyarrow, which is not installed; "
            "pip install 'riverrun[parquet]', or write a .csv"
        ) from None
    answer = {"binary": arrow.bool_(), "multiclass": arrow.string()}.get(task, arrow.float64())
    schema = arrow.schema(
        [
            ("id", arrow.string()),
            ("time", arrow.timestamp("ms", tz="UTC")),
            ("prediction", answer),
            ("probability", arrow.float64()),
            ("label", arrow.bool_() if task == "anomaly" else answer),
            ("model_version", arrow.string()),
        ]
    )
    with parquet.ParquetWriter(file, schema) as writer:
        yield _Parquet(arrow, writer, schema, task)


class _Parquet:
    def __init__(self, arrow: Any, writer: Any, schema: Any, task: Task) -> None:
        self._arrow = arrow
        self._writer = writer
        self._schema = schema
        self._task = task

    def write(self, rows: Sequence[Scored]) -> None:
        shown_rows = [shown(one, self._task) | {"time": one.time} for one in rows]
        if self._task == "multiclass":
            for row in shown_rows:
                row |= {k: None if row[k] is None else str(row[k]) for k in ("prediction", "label")}
        table = self._arrow.Table.from_pylist(shown_rows, schema=self._schema)
        self._writer.write_table(table)


def shown(one: Scored, task: Task) -> dict[str, Any]:
    """Return a scored row as it is written, by ``COLUMNS``."""
    answer = decide(task, one.prediction)
    stated = probabilities(task, one.prediction) or {}
    name = str(answer).lower() if task == "binary" else str(answer)
    return {
        "id": one.id,
        "time": None if one.time is None else _moment(one.time),
        "prediction": answer,
        "probability": stated.get(name),
        "label": one.label,
        "model_version": one.model_version,
    }


def _moment(milliseconds: int) -> str | None:
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat()
    except (OverflowError, ValueError, OSError):
        return None


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else value
