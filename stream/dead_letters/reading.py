"""Reading a topic as it is now: whole and in bounded memory, or one record."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from stream.errors import OffsetExpiredError, OffsetTruncatedError
from stream.log import Bounds, Source
from stream.origin import Place
from stream.records import Offsets, Record, TopicPartition

Progress = Callable[[float, str], Any]
"""Takes how far something is, and a text to show beside it."""

_POLL_RECORDS, _POLL_SECONDS = 1_000, 0.5


def unseen(_done: float, _text: str) -> None:
    """Show nobody how far something is."""


def records_until(
    source: Source, bounds: Mapping[TopicPartition, Bounds], show: Progress
) -> Iterator[Record]:
    """Read what partitions held at one moment, however much is appended meanwhile.

    Parameters
    ----------
    source
        Any position; it is moved. Only as much of it is held as one poll brings.
    bounds
        Offsets of each partition to read; others are not read.
    show
        Told how many offsets have been passed, of ``offset_count``.

    Raises
    ------
    LogError
    """
    _seek(source, {tp: held.earliest for tp, held in bounds.items()})
    passed: Offsets = {tp: held.earliest for tp, held in bounds.items()}
    done = 0
    while any(passed[tp] < held.end for tp, held in bounds.items()):
        records = source.poll(_POLL_RECORDS, _POLL_SECONDS)
        for record in records:
            tp = TopicPartition(record.topic, record.partition)
            if tp not in bounds:
                continue
            done += min(record.offset + 1, bounds[tp].end) - min(passed[tp], bounds[tp].end)
            passed[tp] = record.offset + 1
            if record.offset < bounds[tp].end:
                yield record
        show(done, f"{done:,}")
        # The last offsets may hold no record: a transaction's marker, or what it gave up.
        if not records and not any(source.lag().values()):
            return


def offset_count(bounds: Mapping[TopicPartition, Bounds]) -> int:
    """Return how many offsets partitions hold.

    Examples
    --------
    >>> offset_count({TopicPartition("t", 0): Bounds(2, 5), TopicPartition("t", 1): Bounds(0, 4)})
    7
    """
    return sum(held.end - held.earliest for held in bounds.values())


def record_at(source: Source, place: Place) -> Record | None:
    """Return the record at a place; None where the log does not hold it, or no more.

    Raises
    ------
    LogError
    """
    tp = place.topic_partition
    if tp not in source.partitions:
        return None
    try:
        _seek(source, {tp: place.offset})
        while True:
            for record in source.poll(1, _POLL_SECONDS):
                if (record.topic, record.partition) == tp:
                    return record if record.offset == place.offset else None
            if not source.lag()[tp]:
                return None
    except (OffsetExpiredError, OffsetTruncatedError):
        return None


def _seek(source: Source, starts: Offsets) -> None:
    """Continue at some offsets, and at the end of all other partitions."""
    elsewhere = {} if len(starts) == len(source.partitions) else source.bounds()
    source.seek({tp: held.end for tp, held in elsewhere.items()} | starts)
