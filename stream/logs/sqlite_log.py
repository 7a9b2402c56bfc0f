"""The embedded event log: one SQLite file, durable, with many writers and many readers."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from threading import Lock
from typing import NamedTuple, TypeVar

import msgspec

from stream.errors import TopicNotFoundError
from stream.logs.log_rules import partition_of, refuse_bad_topic, refuse_too_large
from stream.logs.sqlite_file import TRANSPORT, open_file, transaction, translated
from stream.logs.sqlite_retention import Retention, expire_topic
from stream.logs.sqlite_source import SqliteSource
from stream.records import NewRecord, Offsets, TopicPartition

_RETAIN_EVERY = 10_000
"""Records that a sink appends between two looks at the retention."""

_INSERT = "INSERT INTO log_records VALUES (?, ?, ?, ?, ?, ?, ?)"
_Row = tuple[int, int, int, int, bytes | None, bytes | None, bytes | None]


def wall_clock_ms() -> int:
    """Return the milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class SqliteReceipt(NamedTuple):
    """Where appended records stand; they were durable when ``append`` returned."""

    stands: list[tuple[TopicPartition, int]]

    def offsets(self, timeout_seconds: float = 30.0) -> list[tuple[TopicPartition, int]]:
        """Return the place of each record, in order."""
        return self.stands


_Opened = TypeVar("_Opened", SqliteSource, "SqliteSink")


class SqliteLog:
    """An event log in one SQLite file that several processes may write and read at once.

    Readers see the records of all topics and partitions in the order of the appends.

    Parameters
    ----------
    path
        The file; made where it is missing, in a folder that exists.
    retention_ms
        Records older than this may be dropped by the sinks; None keeps them.
    retention_records
        How many of its newest records each partition keeps; None keeps all.
    busy_seconds
        How long to wait for another process that writes, before LogUnreachableError.
    clock
        Returns the milliseconds since the epoch. Timestamps never decrease, whatever it says.

    Raises
    ------
    LogUnreachableError
        When the file cannot be opened, written or understood.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     log = SqliteLog(Path(folder) / "log.db")
    ...     _ = log.sink().append([NewRecord("events", b"1", b"hello")])
    ...     records = log.source(["events"]).poll(10, timeout_seconds=0)
    ...     log.close()
    >>> [(record.offset, record.value) for record in records]
    [(0, b'hello')]
    """

    transport = TRANSPORT

    def __init__(
        self,
        path: Path | str,
        *,
        retention_ms: int | None = None,
        retention_records: int | None = None,
        busy_seconds: float = 10.0,
        clock: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self.path = Path(path)
        self.url = f"sqlite:///{path}"
        self.retention = Retention(retention_ms, retention_records)
        self.clock = clock
        self._busy_seconds = busy_seconds
        self._opened: list[SqliteSource | SqliteSink] = []
        self._connect().close()

    def topics(self) -> dict[str, int]:
        """Return the number of partitions of every topic."""
        with translated(self.path), closing(self._connect()) as db:
            return dict(
                db.execute("SELECT topic, count(*) FROM log_partitions GROUP BY topic").fetchall()
            )

    def create_topics(self, topics: Mapping[str, int]) -> None:
        """Create those of the topics that do not exist; appends create them too, of 1 partition."""
        with translated(self.path), closing(self._connect()) as db, transaction(db):
            for topic, count in topics.items():
                _create_topic(db, topic, count)

    def source(
        self, topics: Sequence[str], group: str | None = None, *, partition: int | None = None
    ) -> SqliteSource:
        """Open a reader, at each partition's earliest offset."""
        known = self.topics()
        for topic in topics:
            if topic not in known:
                raise TopicNotFoundError(topic, self.url, list(known))
        return self._keep(SqliteSource(self._connect(), self.path, topics, group, partition))

    def sink(self) -> SqliteSink:
        """Open a writer."""
        return self._keep(SqliteSink(self._connect(), self))

    def membership(self, group: str, topic: str, session_seconds: float) -> None:
        """Return None: this log knows no groups."""

    def expire(
        self, topic: str, *, before_ms: int | None = None, keep_records: int | None = None
    ) -> None:
        """Drop the oldest records of a topic; their offsets are never used again.

        Parameters
        ----------
        topic
            Its name.
        before_ms
            Drop what was appended before this time, in milliseconds since the epoch.
        keep_records
            Drop what each partition holds beyond this many of its newest records.
        """
        with translated(self.path), closing(self._connect()) as db:
            expire_topic(db, topic, before_ms, keep_records)

    def committed(self, group: str) -> Offsets:
        """Return the offsets that a group's source committed."""
        query = "SELECT topic, partition, next_offset FROM log_commits WHERE group_name = ?"
        with translated(self.path), closing(self._connect()) as db:
            rows = db.execute(query, (group,)).fetchall()
        return {TopicPartition(topic, partition): offset for topic, partition, offset in rows}

    def close(self) -> None:
        """Close every source and sink that was opened here."""
        for opened in self._opened:
            opened.close()
        self._opened.clear()

    def _keep(self, opened: _Opened) -> _Opened:
        self._opened = [one for one in self._opened if not one.is_closed]
        self._opened.append(opened)
        return opened

    def _connect(self) -> sqlite3.Connection:
        return open_file(self.path, self._busy_seconds)


class _Slot:
    """A partition while a batch is appended to it."""

    __slots__ = ("id", "next_offset", "partition")

    def __init__(self, id_: int, topic: str, number: int, next_offset: int) -> None:
        self.id = id_
        self.partition = TopicPartition(topic, number)
        self.next_offset = next_offset


class SqliteSink:
    """Appends batches, each in one transaction that is durable when ``append`` returns."""

    def __init__(self, db: sqlite3.Connection, log: SqliteLog) -> None:
        self._db = db
        self._log = log
        self._lock = Lock()
        self._since_retention = 0
        self.is_closed = False

    def append(self, records: Sequence[NewRecord]) -> SqliteReceipt:
        """Append records, in order, all or none; a missing topic is made with one partition.

        Blocks for one write to the disk, and while another process writes.

        Raises
        ------
        RecordTooLargeError, PartitionNotFoundError, LogUnreachableError
        """
        refuse_too_large(records)
        if not records:
            return SqliteReceipt([])
        with self._lock, translated(self._log.path):
            with transaction(self._db):
                stands = self._insert(records)
            self._retain(records)
        return SqliteReceipt(stands)

    def flush(self, timeout_seconds: float = 30.0) -> None:
        """Do nothing: what was appended is durable."""

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self.is_closed = True
            self._db.close()

    def _insert(self, records: Sequence[NewRecord]) -> list[tuple[TopicPartition, int]]:
        db = self._db
        head = db.execute("SELECT next_position, last_time FROM log_head").fetchone()
        position, now = head[0], max(head[1], self._log.clock())
        slots = {topic: _slots(db, topic) for topic in {record.topic for record in records}}
        encode = msgspec.msgpack.encode
        rows: list[_Row] = []
        stands = []
        for record in records:
            choices = slots[record.topic]
            slot = choices[0]
            if len(choices) > 1 or record.partition is not None:
                slot = choices[partition_of(record, len(choices), position)]
            offset = slot.next_offset
            headers = encode(record.headers) if record.headers else None
            rows.append((position, slot.id, offset, now, record.key, record.value, headers))
            stands.append((slot.partition, offset))
            slot.next_offset = offset + 1
            position += 1
        db.executemany(_INSERT, rows)
        db.executemany(
            "UPDATE log_partitions SET next_offset = ? WHERE id = ?",
            [(slot.next_offset, slot.id) for choices in slots.values() for slot in choices],
        )
        db.execute("UPDATE log_head SET next_position = ?, last_time = ?", (position, now))
        return stands

    def _retain(self, records: Sequence[NewRecord]) -> None:
        self._since_retention += len(records)
        retention = self._log.retention
        if not retention.is_set or self._since_retention < _RETAIN_EVERY:
            return
        self._since_retention = 0
        before = None if retention.age_ms is None else self._log.clock() - retention.age_ms
        for topic in _all_topics(self._db):
            expire_topic(self._db, topic, before, retention.records)


def _slots(db: sqlite3.Connection, topic: str) -> list[_Slot]:
    query = """SELECT id, topic, partition, next_offset FROM log_partitions
               WHERE topic = ? ORDER BY partition"""
    rows = db.execute(query, (topic,)).fetchall()
    if not rows:
        _create_topic(db, topic, 1)
        rows = db.execute(query, (topic,)).fetchall()
    return [_Slot(*row) for row in rows]


def _create_topic(db: sqlite3.Connection, topic: str, count: int) -> None:
    refuse_bad_topic(topic, count)
    if db.execute("SELECT 1 FROM log_partitions WHERE topic = ?", (topic,)).fetchone() is None:
        db.executemany(
            "INSERT INTO log_partitions (topic, partition) VALUES (?, ?)",
            [(topic, number) for number in range(count)],
        )


def _all_topics(db: sqlite3.Connection) -> Iterable[str]:
    return [row[0] for row in db.execute("SELECT DISTINCT topic FROM log_partitions").fetchall()]
