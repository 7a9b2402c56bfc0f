"""Rows of a file as records to append: checked as the worker will check them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, Protocol

import msgspec

from serve.tabular.cells import cell_parser, parse_cell
from serve.tabular.files import Row
from stream.config import Config
from stream.errors import InputError
from stream.events import Decoder, Rejected
from stream.labels import LabelReader
from stream.records import NewRecord, Record

Kind = Literal["events", "labels"]


class Rows(Protocol):
    """A file of rows, as ``serve.tabular.files.TableFile`` is one.

    ``columns`` is None where any row may have others.
    """

    name: str
    is_csv: bool

    @property
    def columns(self) -> Sequence[str] | None:
        """Names of the columns."""

    def __iter__(self) -> Iterator[Row]: ...


class RowReader:
    """Turns rows into records of the events or the labels topic.

    Parameters
    ----------
    config
        Names the id, the time, the label, the features and their types.
    kind
        ``events``, or ``labels``: then only the id and the label of a row are sent.
    now
        Milliseconds since the epoch, for the check of times that lie ahead.

    Raises
    ------
    InputError
        When labels cannot be sent because the configuration has no id or no label.
    """

    def __init__(self, config: Config, kind: Kind, now: int) -> None:
        event = config.event
        if kind == "labels" and (event.id is None or event.label is None):
            raise InputError(
                "labels are matched by their event's id: set event.id and event.label in the "
                "configuration, or send the label inside the event"
            )
        self._config = config
        self._kind = kind
        self._now = now
        self._topic = config.events_topic if kind == "events" else config.labels_topic
        decoder = Decoder(event, LabelReader(config.model.task, config.model.classes))
        self._decode: Callable[[Record], Any] = decoder.event if kind == "events" else decoder.label
        self._parsers = self._cell_parsers()

    def records(self, table: Rows) -> Iterator[NewRecord]:
        """Return a record for each row.

        Raises
        ------
        InputError
            When a column is missing, or with the line of the first row that does not fit.
        """
        if table.columns is not None:
            self._refuse_missing(table)
        for row in table:
            yield self._record(row, table)

    def each(self, table: Rows) -> Iterator[tuple[int, NewRecord | InputError]]:
        """Return a record for each row, or what is wrong with the row; and its line.

        Raises
        ------
        InputError
            When a column is missing, or the file itself cannot be read.
        """
        if table.columns is not None:
            self._refuse_missing(table)
        for row in table:
            try:
                yield row.line, self._record(row, table)
            except InputError as error:
                yield row.line, error

    def _record(self, row: Row, table: Rows) -> NewRecord:
        cells = self._typed(row, table.name) if table.is_csv else row.cells
        if self._kind == "labels":
            names = (self._config.event.id, self._config.event.label)
            cells = {name: cells[name] for name in names if name is not None and name in cells}
        value = msgspec.json.encode(cells)
        decoded = self._decode(Record(self._topic, 0, row.line, self._now, None, value))
        if isinstance(decoded, Rejected):
            raise InputError(f"{table.name}, line {row.line}: {decoded.message}")
        key = None if self._config.event.id is None else decoded.id.encode()
        return NewRecord(self._topic, key, value)

    def _typed(self, row: Row, name: str) -> dict[str, Any]:
        cells = {}
        for column, text in row.cells.items():
            try:
                value = self._parsers.get(column, parse_cell)(text)
            except ValueError as error:
                raise InputError(
                    f"{name}, line {row.line}: column {column!r} holds {text!r}; {error}"
                ) from None
            if value is not None:
                cells[column] = value
        return cells

    def _cell_parsers(self) -> dict[str, Callable[[str], Any]]:
        event, model = self._config.event, self._config.model
        parsers = {name: cell_parser(kind) for name, kind in event.types.items()}
        if event.id is not None:
            # 007 and 7 are different ids.
            parsers[event.id] = cell_parser("str")
        if event.label is not None and model.classes is not None:
            classes = {str(value): value for value in model.classes}
            parsers[event.label] = lambda text: classes.get(text, parse_cell(text))
        return parsers

    def _refuse_missing(self, table: Rows) -> None:
        event, columns = self._config.event, table.columns or []
        wanted = {"event.id": event.id}
        if self._kind == "labels":
            wanted["event.label"] = event.label
        else:
            wanted["event.time"] = event.time
        problems = [
            f"{name!r} ({key})" for key, name in wanted.items() if name and name not in columns
        ]
        if self._kind == "events":
            missing = [name for name in event.features or () if name not in columns]
            problems += [f"{name!r} (event.features)" for name in missing]
        if problems:
            raise InputError(
                f"{table.name}: the configuration needs columns that are not there: "
                f"{', '.join(problems)}; the file has: {', '.join(columns)}"
            )
