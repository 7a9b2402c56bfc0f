"""Labelled history as the records that a worker would have read."""

from __future__ import annotations

import heapq
import re
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from serve.tabular.events import RowReader
from serve.tabular.files import TableFile
from stream.config import Config
from stream.errors import InputError
from stream.events import Decoder, Event, parse_time
from stream.labels import LabelReader
from stream.log import Log, Source
from stream.records import Record, TopicPartition
from stream.units import parse_duration

BEGIN = 946_684_800_000
"""Where time begins for rows that have none: the year 2000."""

_POLL = 2_000
_POLL_SECONDS = 0.25
_LARGEST_INDEX = 100_000_000_000
Show = Callable[[float, str], None]


@dataclass(slots=True)
class History:
    """Records, and where they come from.

    Parameters
    ----------
    name
        Of the file, or of the log.
    records
        Events and labels in the order of reading, without headers: no prediction that was served
        comes with them.
    events
        How many of them are events.
    notes
        What was assumed or left out, in sentences.
    """

    name: str
    records: list[Record] = field(default_factory=list)
    events: int = 0
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Delay:
    """How long labels are held back.

    Parameters
    ----------
    events
        Until so many more events have come.
    milliseconds
        Until event time has moved on so far.
    """

    events: int = 0
    milliseconds: int = 0

    @classmethod
    def parse(cls, text: str) -> Delay:
        """Read ``200`` (events) or ``3d`` (event time).

        Raises
        ------
        InputError

        Examples
        --------
        >>> Delay.parse("200"), Delay.parse("1.5s")
        (Delay(events=200, milliseconds=0), Delay(events=0, milliseconds=1500))
        """
        if re.fullmatch(r"\d{1,9}", text.strip()):
            return cls(events=int(text))
        try:
            return cls(milliseconds=parse_duration(text))
        except ValueError as error:
            raise InputError(
                f"--label-delay: found {text!r}; give a number of events, or a duration: {error}"
            ) from None


def read_file(
    path: Path, config: Config, now: int, *, delay: Delay, spacing: int, limit: int, show: Show
) -> History:
    """Read a file of labelled events.

    Parameters
    ----------
    path
        The file, in the order of time.
    config
        Names its columns.
    now
        Milliseconds since the epoch, for the check of times that lie ahead.
    delay
        How long labels are held back; those that come after the file's end are left out.
    spacing
        Milliseconds between rows, where the configuration names no time.
    limit
        Rows at most.
    show
        Told how far it is.

    Raises
    ------
    InputError
        A row does not fit the configuration, or there is none.
    """
    if delay.milliseconds > config.labels.max_delay:
        raise InputError(
            "--label-delay is longer than labels.max_delay: every prediction would expire first; "
            "make that longer in the configuration"
        )
    history = History(path.name)
    with TableFile(path) as table:
        events = _events(RowReader(config, "events", now), table, config, now, spacing)
        for event, record in delayed(events, config, delay):
            if event is not None and history.events >= limit:
                history.notes.append(f"only the first {limit:,} rows are replayed; see --limit")
                break
            history.events += event is not None
            history.records.append(record)
            if history.events % _POLL == 0:
                show(table.position, f"{history.events:,} rows")
    if not history.events:
        raise InputError(f"{path}: there are no rows to replay")
    if config.event.time is None:
        history.notes.append(
            f"rows have no time: they are taken to come {spacing / 1000:g} s apart (--spacing)"
        )
    return history


def delayed(
    events: Iterator[tuple[Event, Record]], config: Config, delay: Delay
) -> Iterator[tuple[Event | None, Record]]:
    """Give records in order, with labels of their own where they are held back.

    Yields
    ------
    tuple
        The event, or None for a label; and the record.
    """
    if not delay.events and not delay.milliseconds:
        yield from events
        return
    waiting: deque[Record] = deque()
    due: list[tuple[int, int, Record]] = []
    for number, (event, record) in enumerate(events):
        while due and due[0][0] <= event.time:
            yield None, heapq.heappop(due)[2]
        bare, label = _split(event, record, config)
        yield event, bare
        if label is not None and delay.events:
            waiting.append(label)
        elif label is not None:
            heapq.heappush(due, (event.time + delay.milliseconds, number, label))
        if len(waiting) > delay.events:
            yield None, waiting.popleft()


def _events(
    reader: RowReader, table: TableFile, config: Config, now: int, spacing: int
) -> Iterator[tuple[Event, Record]]:
    decoder = Decoder(config.event, LabelReader(config.model.task, config.model.classes))
    for number, new in enumerate(reader.records(table)):
        record = Record(new.topic, 0, number, now, new.key, new.value)
        event = decoder.event(record)
        if not isinstance(event, Event):
            raise InputError(f"{table.name}, row {number + 1}: {event.message}")
        if config.event.time is None:
            event.time = BEGIN + number * spacing
        yield event, msgspec.structs.replace(record, timestamp=event.time)


def _split(event: Event, record: Record, config: Config) -> tuple[Record, Record | None]:
    """Return an event without its label, and the label as a message of its own."""
    name = config.event.label
    fields: dict[str, Any] = msgspec.json.decode(record.value or b"{}")
    if name is None or fields.get(name) is None:
        return record, None
    said = {name: fields.pop(name)}
    if config.event.id is not None:
        said[config.event.id] = fields[config.event.id]
    bare = msgspec.structs.replace(record, value=msgspec.json.encode(fields))
    label = Record(
        config.labels_topic, 0, record.offset, event.time, event.id.encode(),
        msgspec.json.encode(said),
    )  # fmt: skip
    return bare, label


def read_log(
    log: Log, config: Config, *, begin: str | None, end: str | None, limit: int, show: Show
) -> History:
    """Read a range of the log.

    Parameters
    ----------
    log, config
        Of the stream.
    begin, end
        The first record, and the first that is left out: its number in the order of reading, or
        the time at which it was appended.
    limit
        Events at most.
    show
        Told how far it is.

    Raises
    ------
    InputError
        A bound cannot be read, or nothing lies between them.
    LogError
    """
    first, last = _bound("--from", begin), _bound("--to", end)
    history = History(f"{config.events_topic} on {log.url}")
    source = log.source([config.events_topic, config.labels_topic])
    number, total = 0, sum(source.lag().values())
    ends = {place: held.end for place, held in source.bounds().items()}
    try:
        while records := _next_records(source):
            for record in records:
                if record.offset >= ends[TopicPartition(record.topic, record.partition)]:
                    return _whole(history)  # it came after this reading began
                if _is_reached(last, number, record):
                    return _whole(history)
                if first is None or _is_reached(first, number, record):
                    if history.events >= limit:
                        history.notes.append(f"only the first {limit:,} events; see --limit")
                        return history
                    history.records.append(msgspec.structs.replace(record, headers=()))
                    history.events += record.topic == config.events_topic
                number += 1
            show(number / max(total, 1), f"{number:,} records")
    finally:
        source.close()
    return _whole(history)


def _next_records(source: Source) -> list[Record]:
    """Return the next records; none only where the log ends."""
    while not (records := source.poll(_POLL, _POLL_SECONDS)) and any(source.lag().values()):
        pass
    return records


def _whole(history: History) -> History:
    if not history.events:
        raise InputError(f"{history.name}: no events lie between --from and --to")
    return history


def _bound(option: str, text: str | None) -> tuple[bool, int] | None:
    """Return whether a bound is a time, and its number."""
    if text is None:
        return None
    if re.fullmatch(r"\d{1,18}", text) and int(text) < _LARGEST_INDEX:
        return False, int(text)
    moment = parse_time(int(text) if text.isdecimal() else text)
    if moment is None:
        raise InputError(
            f"{option}: found {text!r}; give the number of a record in the order of reading, or "
            "the time at which it was appended, in RFC 3339 or epoch milliseconds"
        )
    return True, moment


def _is_reached(bound: tuple[bool, int] | None, number: int, record: Record) -> bool:
    if bound is None:
        return False
    is_time, value = bound
    return (record.timestamp if is_time else number) >= value
