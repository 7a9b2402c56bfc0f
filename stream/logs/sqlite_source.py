"""A reader of the embedded log, in the order of the appends."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from stream.log import Bounds
from stream.logs.log_rules import refuse_outside, starting_offsets
from stream.logs.sqlite_file import TRANSPORT, transaction, translated
from stream.records import Headers, Offsets, Record, TopicPartition

_SCAN_POSITIONS = 50_000
"""Appends (of any topic) that one look at the file passes at most: some tens of milliseconds."""

_POLL_BYTES = 32 * 1024 * 1024
"""Keys and values that one poll returns at most, beside the last record."""

_SHORTEST_SLEEP_SECONDS, _LONGEST_SLEEP_SECONDS = 0.002, 0.05

_NO_HEADERS: Headers = ()
_Row = tuple[int, int, int, int, bytes | None, bytes | None, bytes | None]


class SqliteSource:
    """Reads some topics of a ``SqliteLog``, all partitions in the order they were appended.

    It remembers a position in that order and the next offset of each partition, so it may be
    opened at any offsets: what lies behind them is passed over, nothing is read twice.
    """

    transport = TRANSPORT

    def __init__(
        self,
        db: sqlite3.Connection,
        path: Path,
        topics: Sequence[str],
        group: str | None,
        partition: int | None = None,
    ) -> None:
        self._db = db
        self._path = path
        self._group = group
        self._decode = msgspec.msgpack.Decoder(Headers).decode
        with translated(path):
            self._partitions, self._ids = _find_partitions(db, topics, partition)
        # Numbers that SQLite gave, no text of anybody.
        marks = ", ".join(map(str, self._ids))
        self._bounds_query = (
            f"SELECT id, earliest, next_offset FROM log_partitions WHERE id IN ({marks})"  # noqa: S608
        )
        # The plus keeps SQLite from reading whole partitions by their index and sorting them.
        self._read_query = f"""
            SELECT position, partition_id, offset, time, key, value, headers FROM log_records
            WHERE position >= ? AND position < ? AND +partition_id IN ({marks})
            ORDER BY position LIMIT ?"""  # noqa: S608
        self._next: dict[int, int] = {}
        self._position = 0
        self.is_closed = False
        self.seek({})

    @property
    def partitions(self) -> tuple[TopicPartition, ...]:
        """Every partition of the topics, in order of topic and number."""
        return self._partitions

    def bounds(self) -> dict[TopicPartition, Bounds]:
        """Return what each partition holds now."""
        with translated(self._path):
            held = self._held()
        return {self._ids[id_]: held[id_] for id_ in self._ids}

    def identities(self) -> dict[str, str]:
        """Return the file's id for each topic: a topic lasts as long as its file."""
        with translated(self._path):
            (found,) = self._db.execute("SELECT id FROM log_identity").fetchone()
        return {partition.topic: found for partition in self._partitions}

    def seek(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Continue at these offsets, and at the earliest where none is given."""
        with translated(self._path), transaction(self._db, "BEGIN"):
            held = self._held()
            bounds = {partition: held[id_] for id_, partition in self._ids.items()}
            start = starting_offsets(bounds, offsets)
            self._next = {id_: start[partition] for id_, partition in self._ids.items()}
            self._position = _first_position(self._db, self._next)

    def poll(self, max_records: int, timeout_seconds: float) -> list[Record]:
        """Return the next records, or none when none came in time.

        While it waits it asks SQLite, in steps of 2 to 50 ms, whether the file has changed.
        """
        deadline = time.monotonic() + timeout_seconds
        with translated(self._path):
            while True:
                version = self._data_version()
                if records := self._read(max_records):
                    return records
                if not self._wait_for_change(version, deadline):
                    return []

    def lag(self) -> dict[TopicPartition, int]:
        """Return how many offsets lie between the next record and each partition's end."""
        following = {self._ids[id_]: offset for id_, offset in self._next.items()}
        return {tp: held.end - following[tp] for tp, held in self.bounds().items()}

    def commit(self, offsets: Offsets) -> None:
        """Keep a copy of the offsets for ``SqliteLog.committed``, if this reader has a group."""
        if self._group is None:
            return
        rows = [(self._group, tp.topic, tp.partition, offset) for tp, offset in offsets.items()]
        with translated(self._path), transaction(self._db):
            self._db.executemany("INSERT OR REPLACE INTO log_commits VALUES (?, ?, ?, ?)", rows)

    def close(self) -> None:
        """Close the file."""
        self.is_closed = True
        self._db.close()

    def _held(self) -> dict[int, Bounds]:
        rows = self._db.execute(self._bounds_query).fetchall()
        return {id_: Bounds(earliest, end) for id_, earliest, end in rows}

    def _read(self, max_records: int) -> list[Record]:
        while True:
            with transaction(self._db, "BEGIN"):
                # One snapshot: whatever was appended up to its end is seen, or known to be gone.
                (end,) = self._db.execute("SELECT next_position FROM log_head").fetchone()
                held = self._held()
                for id_, offset in self._next.items():
                    refuse_outside(self._ids[id_], offset, held.get(id_, Bounds(0, 0)))
                upto = min(end, self._position + _SCAN_POSITIONS)
                rows = self._db.execute(self._read_query, (self._position, upto, max_records))
                records, last = self._take(rows)
                rows.close()
            self._position = upto if last is None else last + 1
            if records or self._position >= end:
                return records

    def _take(self, rows: Iterable[_Row]) -> tuple[list[Record], int | None]:
        """Return records, and the position of the last row, or None when none was found."""
        records: list[Record] = []
        position, weight = None, 0
        following, partitions, decode = self._next, self._ids, self._decode
        for position, id_, offset, stamp, key, value, packed in rows:  # noqa: B007
            if offset < following[id_]:
                continue
            topic, number = partitions[id_]
            headers = _NO_HEADERS if packed is None else decode(packed)
            records.append(Record(topic, number, offset, stamp, key, value, headers))
            following[id_] = offset + 1
            weight += len(key or b"") + len(value or b"")
            if weight > _POLL_BYTES:
                break
        return records, position

    def _data_version(self) -> int:
        (version,) = self._db.execute("PRAGMA data_version").fetchone()
        return int(version)

    def _wait_for_change(self, version: int, deadline: float) -> bool:
        pause = _SHORTEST_SLEEP_SECONDS
        while (left := deadline - time.monotonic()) > 0:
            time.sleep(min(pause, left))
            if self._data_version() != version:
                return True
            pause = min(2 * pause, _LONGEST_SLEEP_SECONDS)
        return False


def _find_partitions(
    db: sqlite3.Connection, topics: Sequence[str], only: int | None
) -> tuple[tuple[TopicPartition, ...], dict[int, TopicPartition]]:
    query = "SELECT id, topic, partition FROM log_partitions WHERE topic = ? ORDER BY partition"
    rows = [row for topic in topics for row in db.execute(query, (topic,)).fetchall()]
    ids = {
        id_: TopicPartition(topic, number)
        for id_, topic, number in rows
        if only is None or number == only
    }
    return tuple(ids.values()), ids


def _first_position(db: sqlite3.Connection, following: Mapping[int, int]) -> int:
    """Return where the first of the wanted records stands, or where the next append will."""
    query = "SELECT position FROM log_records WHERE partition_id = ? AND offset = ?"
    (first,) = db.execute("SELECT next_position FROM log_head").fetchone()
    for item in following.items():
        row = db.execute(query, item).fetchone()
        if row is not None:
            first = min(first, row[0])
    return int(first)
