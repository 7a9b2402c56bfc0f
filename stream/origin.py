"""Where a replayed record first stood: its identity, which every replay of it keeps.

A record that is appended again gets a new place and a new time. Where an event's id comes from its
place, or its time from its record, those would make another event of it; so a replay carries the
place and the time of the first append in two headers, and reading it means reading the first one.
"""

from __future__ import annotations

import re
from typing import Annotated

import msgspec

from stream.records import Headers, Record, TopicPartition

REPLAYED_FROM = "riverrun-replayed-from"
"""Header of a replay: the place of the first append, as JSON of a ``Place``."""

REPLAYED_TIME = "riverrun-replayed-time"
"""Header of a replay: the time of the first append, in milliseconds since the epoch."""

_TIME = re.compile(rb"-?[0-9]{1,15}")


class Place(msgspec.Struct, frozen=True, order=True, forbid_unknown_fields=True):
    """Where a record stands on the log.

    Examples
    --------
    >>> str(Place("s.events", 0, 7))
    's.events-0:7'
    """

    topic: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{1,249}\Z")]
    partition: Annotated[int, msgspec.Meta(ge=0, lt=1 << 31)]
    offset: Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}:{self.offset}"

    @property
    def topic_partition(self) -> TopicPartition:
        """The partition it is on."""
        return TopicPartition(self.topic, self.partition)


class Origin(msgspec.Struct, frozen=True):
    """The first append of a record that was replayed.

    Parameters
    ----------
    place
        Where it stood.
    time
        When it was appended, in milliseconds since the epoch.
    """

    place: Place
    time: int


def read_origin(headers: Headers) -> Origin | None:
    """Return what the headers of a replay say; None for a record that is no replay.

    Raises
    ------
    ValueError
        When one header is missing, there twice, or not in the one form that a replay writes.

    Examples
    --------
    >>> origin = Origin(Place("s.events", 0, 7), 1_000)
    >>> read_origin(origin_headers(origin)) == origin
    True
    >>> read_origin((("riverrun-replayed-time", b"soon"),))
    Traceback (most recent call last):
    ...
    ValueError: header riverrun-replayed-from: found 0 of it; a replay has it once
    """
    found = [value for name, value in headers if name == REPLAYED_FROM]
    times = [value for name, value in headers if name == REPLAYED_TIME]
    if not found and not times:
        return None
    for name, values in ((REPLAYED_FROM, found), (REPLAYED_TIME, times)):
        if len(values) != 1:
            raise ValueError(f"header {name}: found {len(values)} of it; a replay has it once")
    try:
        place = msgspec.json.decode(found[0], type=Place)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ValueError(f"header {REPLAYED_FROM}: {error}") from None
    if _TIME.fullmatch(times[0]) is None:
        raise ValueError(
            f"header {REPLAYED_TIME}: found {times[0][:40]!r}; milliseconds since the epoch are "
            "expected"
        )
    return Origin(place, int(times[0]))


def origin_headers(origin: Origin) -> Headers:
    """Return the headers that make a record the replay of another."""
    return (
        (REPLAYED_FROM, msgspec.json.encode(origin.place)),
        (REPLAYED_TIME, str(origin.time).encode()),
    )


def as_first_appended(record: Record, max_future: int) -> Record:
    """Return a record with the place and time of its first append; itself if it is no replay.

    Parameters
    ----------
    record
        As it stands on the log.
    max_future
        How many milliseconds the first append may lie after this one, by clocks that differ.

    Raises
    ------
    ValueError
        When its headers are not in the form that a replay writes, or it came before the first one.

    Examples
    --------
    >>> origin = Origin(Place("s.events", 0, 7), 1_000)
    >>> record = Record("s.events", 0, 9, 5_000, None, b"{}", origin_headers(origin))
    >>> as_first_appended(record, 0).offset, as_first_appended(record, 0).timestamp
    (7, 1000)
    """
    origin = read_origin(record.headers)
    if origin is None:
        return record
    if origin.time - record.timestamp > max_future:
        raise ValueError(
            f"header {REPLAYED_TIME}: found {origin.time}, after the record's own time "
            f"{record.timestamp} by more than event.max_future ({max_future:,} ms)"
        )
    place = origin.place
    return msgspec.structs.replace(
        record,
        topic=place.topic,
        partition=place.partition,
        offset=place.offset,
        timestamp=origin.time,
    )
