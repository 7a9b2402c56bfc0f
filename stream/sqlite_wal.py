"""Switching a SQLite file to write-ahead logging while other processes do the same."""

from __future__ import annotations

import sqlite3
import time


def use_wal(db: sqlite3.Connection, busy_seconds: float) -> str:
    """Ask for a write-ahead log, and return the journal mode that the file has then.

    Two processes that make the same file at once collide here, and SQLite's own waiting does not
    cover the switch.

    Raises
    ------
    sqlite3.OperationalError
        When others held the file for ``busy_seconds``, or for any other reason at once.
    """
    deadline = time.monotonic() + busy_seconds
    while True:
        try:
            return str(db.execute("PRAGMA journal_mode = WAL").fetchone()[0])
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
