"""Rules that every event log keeps: which partition, how large, where a reader may start."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from stream.errors import (
    InputError,
    OffsetExpiredError,
    OffsetTruncatedError,
    PartitionNotFoundError,
    RecordTooLargeError,
)
from stream.log import MAX_RECORD_BYTES, Bounds
from stream.logs.partitioner import partition_of_key
from stream.records import NewRecord, Offsets, TopicPartition


def partition_for(key: bytes | None, count: int, turn: int) -> int:
    """Return the partition of a key, as Kafka's clients do; without a key they take turns.

    Parameters
    ----------
    key
        The record's key, or None.
    count
        Number of partitions of the topic.
    turn
        Any number that grows with every append.

    Examples
    --------
    >>> partition_for(b"flight-1", 4, turn=0) == partition_for(b"flight-1", 4, turn=9)
    True
    >>> [partition_for(None, 3, turn) for turn in range(4)]
    [0, 1, 2, 0]
    """
    return turn % count if key is None else partition_of_key(key, count)


def partition_of(record: NewRecord, count: int, turn: int) -> int:
    """Return the partition that a record names, or else that of its key.

    Raises
    ------
    PartitionNotFoundError
        When the topic, of ``count`` partitions, does not have it.
    """
    if record.partition is None:
        return partition_for(record.key, count, turn)
    if not 0 <= record.partition < count:
        raise PartitionNotFoundError(record.topic, record.partition, count)
    return record.partition


def refuse_too_large(records: Iterable[NewRecord]) -> None:
    """Raise RecordTooLargeError for the first record that is over ``MAX_RECORD_BYTES``."""
    for record in records:
        if record.size > MAX_RECORD_BYTES:
            raise RecordTooLargeError(record.topic, record.size, MAX_RECORD_BYTES)


def refuse_bad_topic(topic: str, partitions: int) -> None:
    """Raise InputError where a topic cannot be made with this name or so many partitions."""
    if not topic or len(topic) > 249 or not set(topic) <= _TOPIC_CHARACTERS or topic in {".", ".."}:
        raise InputError(
            f"topic name {topic!r}: use 1 to 249 letters, digits, dots, underscores and hyphens"
        )
    if partitions < 1:
        raise InputError(f"topic {topic!r}: found {partitions} partitions; use 1 or more")


def starting_offsets(
    bounds: Mapping[TopicPartition, Bounds], wanted: Mapping[TopicPartition, int]
) -> Offsets:
    """Return where each partition continues: as wanted, or else at its earliest.

    Raises
    ------
    OffsetExpiredError, OffsetTruncatedError
        When a partition does not hold the wanted offset. A partition that is gone from a topic
        that is still read counts as truncated to nothing.
    ValueError
        When an offset belongs to a topic that the source does not read.

    Examples
    --------
    >>> a, b = TopicPartition("events", 0), TopicPartition("events", 1)
    >>> starting_offsets({a: Bounds(2, 9), b: Bounds(0, 4)}, {a: 5}) == {a: 5, b: 0}
    True
    """
    topics = {partition.topic for partition in bounds}
    for partition, offset in wanted.items():
        if partition.topic not in topics:
            raise ValueError(f"{partition}: this source reads only {', '.join(sorted(topics))}")
        refuse_outside(partition, offset, bounds.get(partition, Bounds(0, 0)))
    return {partition: wanted.get(partition, held.earliest) for partition, held in bounds.items()}


def refuse_outside(partition: TopicPartition, offset: int, held: Bounds) -> None:
    """Raise where a partition holds neither the offset nor the place right after its last one."""
    if offset < held.earliest:
        raise OffsetExpiredError(str(partition), offset, held.earliest)
    if offset > held.end:
        raise OffsetTruncatedError(str(partition), offset, held.end)


_TOPIC_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
