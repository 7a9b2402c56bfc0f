"""Retention of the embedded log: the oldest records go, in small transactions."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from stream.logs.sqlite_file import transaction

_ROWS_AT_ONCE = 10_000
"""Rows that one transaction deletes, so that writers wait some milliseconds at most."""


class Retention(NamedTuple):
    """How long records stay: by age in milliseconds, by number per partition, or for ever."""

    age_ms: int | None
    records: int | None

    @property
    def is_set(self) -> bool:
        """Whether anything is ever dropped."""
        return self.age_ms is not None or self.records is not None


def expire_topic(
    db: sqlite3.Connection, topic: str, before_ms: int | None, keep_records: int | None
) -> None:
    """Drop what is too old or too many in each partition of a topic."""
    query = "SELECT id FROM log_partitions WHERE topic = ?"
    for (partition_id,) in db.execute(query, (topic,)).fetchall():
        with transaction(db):
            earliest = _new_earliest(db, partition_id, before_ms, keep_records)
            # First of all readers learn that these are gone; nobody sees half a deletion.
            db.execute(
                "UPDATE log_partitions SET earliest = ? WHERE id = ?", (earliest, partition_id)
            )
        _delete_before(db, partition_id, earliest)


def _new_earliest(
    db: sqlite3.Connection, partition_id: int, before_ms: int | None, keep_records: int | None
) -> int:
    query = "SELECT earliest, next_offset FROM log_partitions WHERE id = ?"
    earliest, end = db.execute(query, (partition_id,)).fetchone()
    new: int = earliest
    if keep_records is not None:
        new = max(new, end - keep_records)
    if before_ms is not None:
        new = _first_since(db, partition_id, new, end, before_ms)
    return new


def _first_since(
    db: sqlite3.Connection, partition_id: int, low: int, high: int, time_ms: int
) -> int:
    """Search by halves: offsets are dense and their times never decrease."""
    query = "SELECT time FROM log_records WHERE partition_id = ? AND offset = ?"
    while low < high:
        middle = (low + high) // 2
        (time,) = db.execute(query, (partition_id, middle)).fetchone()
        if time < time_ms:
            low = middle + 1
        else:
            high = middle
    return low


def _delete_before(db: sqlite3.Connection, partition_id: int, earliest: int) -> None:
    query = """DELETE FROM log_records WHERE position IN (
                   SELECT position FROM log_records
                   WHERE partition_id = ? AND offset < ? LIMIT ?)"""
    while True:
        with transaction(db):
            deleted = db.execute(query, (partition_id, earliest, _ROWS_AT_ONCE)).rowcount
        if deleted < _ROWS_AT_ONCE:
            return
