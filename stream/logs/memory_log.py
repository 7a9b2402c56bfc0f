"""An event log in memory, for tests: a clock that the test sets, partitions that can be cut."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from secrets import token_hex
from threading import Condition
from typing import NamedTuple

from stream.errors import TopicNotFoundError
from stream.log import Bounds
from stream.logs.log_rules import (
    partition_of,
    refuse_bad_topic,
    refuse_outside,
    refuse_too_large,
    starting_offsets,
)
from stream.logs.merge import Merge
from stream.logs.scripted_source import ScriptedSource, Step
from stream.records import NewRecord, Offsets, Record, TopicPartition


class MemoryReceipt(NamedTuple):
    """Where appended records stand; they are as durable as they will ever be."""

    stands: list[tuple[TopicPartition, int]]

    def offsets(self, timeout_seconds: float = 30.0) -> list[tuple[TopicPartition, int]]:
        """Return the place of each record, in order."""
        return self.stands


class _Partition:
    """Dense offsets from ``earliest``; a deque would make slices slow, so a list is cut."""

    def __init__(self) -> None:
        self.earliest = 0
        self.records: list[Record] = []

    @property
    def bounds(self) -> Bounds:
        return Bounds(self.earliest, self.earliest + len(self.records))

    def read(self, offset: int, count: int) -> list[Record]:
        start = offset - self.earliest
        return self.records[start : start + count]


class _Shared:
    """What a log, its sources and its sinks have in common."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self.id = token_hex(8)
        self.topics: dict[str, list[_Partition]] = {}
        self.commits: dict[str, Offsets] = {}
        self.changed = Condition()
        self._clock = clock
        self._last_time = 0
        self._appended = 0

    def held(self, partition: TopicPartition) -> _Partition:
        return self.topics[partition.topic][partition.partition]

    def append(self, records: Sequence[NewRecord]) -> list[tuple[TopicPartition, int]]:
        with self.changed:
            for record in records:
                partition_of(record, len(self.topics.get(record.topic, [None])), 0)
            self._last_time = max(self._last_time, self._clock())
            stands = [self._append_one(record) for record in records]
            self.changed.notify_all()
        return stands

    def _append_one(self, new: NewRecord) -> tuple[TopicPartition, int]:
        partitions = self.topics.setdefault(new.topic, [_Partition()])
        number = partition_of(new, len(partitions), self._appended)
        held = partitions[number]
        offset = held.bounds.end
        headers = tuple(new.headers)
        held.records.append(
            Record(new.topic, number, offset, self._last_time, new.key, new.value, headers)
        )
        self._appended += 1
        return TopicPartition(new.topic, number), offset


class MemoryLog:
    """Topics in memory, shared by the sources and sinks that this object opens.

    Parameters
    ----------
    clock
        Returns the milliseconds since the epoch that the next append is stamped with.

    Examples
    --------
    >>> log = MemoryLog(clock=lambda: 1000)
    >>> log.create_topics({"events": 1})
    >>> _ = log.sink().append([NewRecord("events", b"1", b"hello")])
    >>> log.source(["events"]).poll(10, timeout_seconds=0)[0].value
    b'hello'
    """

    url = "memory://"
    transport = "memory"

    def __init__(self, clock: Callable[[], int]) -> None:
        self._shared = _Shared(clock)

    def topics(self) -> dict[str, int]:
        """Return the number of partitions of every topic."""
        return {topic: len(partitions) for topic, partitions in self._shared.topics.items()}

    def create_topics(self, topics: Mapping[str, int]) -> None:
        """Create those of the topics that do not exist."""
        with self._shared.changed:
            for topic, count in topics.items():
                refuse_bad_topic(topic, count)
                self._shared.topics.setdefault(topic, [_Partition() for _ in range(count)])

    def source(
        self,
        topics: Sequence[str],
        group: str | None = None,
        script: Iterable[Step] | None = None,
        *,
        partition: int | None = None,
    ) -> MemorySource | ScriptedSource:
        """Open a reader; a script puts crash points between its records."""
        for topic in topics:
            if topic not in self._shared.topics:
                raise TopicNotFoundError(topic, self.url, list(self._shared.topics))
        source = MemorySource(self._shared, topics, group, partition)
        return source if script is None else ScriptedSource(source, script)

    def sink(self) -> MemorySink:
        """Open a writer."""
        return MemorySink(self._shared)

    def membership(self, group: str, topic: str, session_seconds: float) -> None:
        """Return None: this log knows no groups."""

    def close(self) -> None:
        """Keep everything: a test may open it again."""

    def expire(self, partition: TopicPartition, before: int) -> None:
        """Drop what stands before an offset, as retention does."""
        held = self._shared.held(partition)
        with self._shared.changed:
            del held.records[: max(0, before - held.earliest)]
            held.earliest = max(held.earliest, before)

    def truncate(self, partition: TopicPartition, end: int) -> None:
        """Drop what stands at an offset and after it, as an unclean election does."""
        held = self._shared.held(partition)
        with self._shared.changed:
            del held.records[max(0, end - held.earliest) :]

    def committed(self, group: str) -> Offsets:
        """Return the offsets that a group's source committed."""
        return dict(self._shared.commits.get(group, {}))


class MemorySink:
    """Appends to a ``MemoryLog``; what it takes can be read at once."""

    def __init__(self, shared: _Shared) -> None:
        self._shared = shared

    def append(self, records: Sequence[NewRecord]) -> MemoryReceipt:
        """Append records, in order; a missing topic is made with one partition."""
        refuse_too_large(records)
        return MemoryReceipt(self._shared.append(records))

    def flush(self, timeout_seconds: float = 30.0) -> None:
        """Do nothing: nothing waits."""

    def close(self) -> None:
        """Do nothing: nothing is held."""


class MemorySource:
    """Reads a ``MemoryLog``."""

    transport = MemoryLog.transport

    def __init__(
        self,
        shared: _Shared,
        topics: Sequence[str],
        group: str | None,
        partition: int | None = None,
    ) -> None:
        self._shared = shared
        self._group = group
        self._partitions = tuple(
            TopicPartition(topic, number)
            for topic in topics
            for number in range(len(shared.topics[topic]))
            if partition is None or number == partition
        )
        self._next: Offsets = {}
        self.seek({})

    @property
    def partitions(self) -> tuple[TopicPartition, ...]:
        """Every partition of the topics, in order of topic and number."""
        return self._partitions

    def bounds(self) -> dict[TopicPartition, Bounds]:
        """Return what each partition holds now."""
        return {partition: self._shared.held(partition).bounds for partition in self._partitions}

    def identities(self) -> dict[str, str]:
        """Return the log's id for each topic."""
        return {partition.topic: self._shared.id for partition in self._partitions}

    def seek(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Continue at these offsets, and at the earliest where none is given."""
        self._next = starting_offsets(self.bounds(), offsets)

    def poll(self, max_records: int, timeout_seconds: float) -> list[Record]:
        """Return the next records, or none when none came in time."""
        with self._shared.changed:
            self._shared.changed.wait_for(self._has_records, timeout_seconds)
            merge = Merge(self._partitions)
            for partition, offset in self._next.items():
                held = self._shared.held(partition)
                refuse_outside(partition, offset, held.bounds)
                merge.feed(partition, held.read(offset, max_records))
            # What was cut off at max_records cannot be missed by a merge of max_records.
            records = merge.take(max_records, ended=self._next)
        for record in records:
            self._next[TopicPartition(record.topic, record.partition)] = record.offset + 1
        return records

    def lag(self) -> dict[TopicPartition, int]:
        """Return how many offsets lie between the next record and each partition's end."""
        return {tp: held.end - self._next[tp] for tp, held in self.bounds().items()}

    def commit(self, offsets: Offsets) -> None:
        """Keep a copy of the offsets for ``MemoryLog.committed``."""
        if self._group is not None:
            self._shared.commits.setdefault(self._group, {}).update(offsets)

    def close(self) -> None:
        """Do nothing: nothing is held."""

    def _has_records(self) -> bool:
        return any(held.end != self._next[tp] for tp, held in self.bounds().items())
