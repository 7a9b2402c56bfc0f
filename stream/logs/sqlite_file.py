"""The SQLite file of an embedded log: its tables, how it is opened, what its errors mean."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stream.errors import LogUnreachableError
from stream.sqlite_wal import use_wal

TRANSPORT = f"SQLite {sqlite3.sqlite_version}"

# A position orders all appends of the file and, like an offset, is never used twice: both are
# counted in tables, because a rowid would come back after retention has emptied a topic.
_SCHEMA = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS log_partitions (
    id INTEGER PRIMARY KEY,
    topic TEXT NOT NULL,
    partition INTEGER NOT NULL,
    earliest INTEGER NOT NULL DEFAULT 0,
    next_offset INTEGER NOT NULL DEFAULT 0,
    UNIQUE (topic, partition)
);
CREATE TABLE IF NOT EXISTS log_records (
    position INTEGER PRIMARY KEY,
    partition_id INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    time INTEGER NOT NULL,
    key BLOB,
    value BLOB,
    headers BLOB
);
CREATE UNIQUE INDEX IF NOT EXISTS log_records_by_offset ON log_records (partition_id, offset);
CREATE TABLE IF NOT EXISTS log_head (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    next_position INTEGER NOT NULL,
    last_time INTEGER NOT NULL
);
INSERT OR IGNORE INTO log_head VALUES (1, 1, 0);
CREATE TABLE IF NOT EXISTS log_commits (
    group_name TEXT NOT NULL,
    topic TEXT NOT NULL,
    partition INTEGER NOT NULL,
    next_offset INTEGER NOT NULL,
    PRIMARY KEY (group_name, topic, partition)
);
CREATE TABLE IF NOT EXISTS log_identity (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    id TEXT NOT NULL
);
INSERT OR IGNORE INTO log_identity VALUES (1, lower(hex(randomblob(16))));
COMMIT;
"""

_ADVICE = {
    sqlite3.SQLITE_FULL: "the disk is full: free some space, or set a retention; nothing was lost",
    sqlite3.SQLITE_READONLY: "it may not be written: correct its permissions",
    sqlite3.SQLITE_PERM: "it may not be opened: correct its permissions",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened: correct the path or the folder's permissions",
    sqlite3.SQLITE_NOTADB: "it is not a SQLite database: name another file",
    sqlite3.SQLITE_CORRUPT: "it is damaged: restore it from a copy, or name another file",
    sqlite3.SQLITE_IOERR: "the disk reports an error: look at the system's log",
}


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn the errors of ``sqlite3`` into LogUnreachableError, with what to do."""
    try:
        yield
    except sqlite3.Error as error:
        # The low byte is the primary code; the rest tells variants of it apart.
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            advice = "another process has kept it locked for too long: stop that one, then retry"
        else:
            advice = _ADVICE.get(code, "close what uses it and retry")
        raise LogUnreachableError(f"event log {path}: {advice} ({error})") from error


def open_file(path: Path, busy_seconds: float) -> sqlite3.Connection:
    """Open the file, made where it is missing, with the log's tables.

    Raises
    ------
    LogUnreachableError
        When the folder is missing, or the file cannot be opened, written or understood.
    """
    if path.is_dir():
        raise LogUnreachableError(f"event log {path}: this is a folder; name a file in it")
    if not path.parent.is_dir():
        found = "is not a folder" if path.parent.exists() else "does not exist"
        raise LogUnreachableError(
            f"event log {path}: folder {path.parent} {found}; make it, or name another file"
        )
    with translated(path):
        db = sqlite3.connect(
            path, timeout=busy_seconds, isolation_level=None, check_same_thread=False
        )
        try:
            _prepare(db, path, busy_seconds)
        except BaseException:
            db.close()
            raise
    return db


@contextmanager
def transaction(db: sqlite3.Connection, begin: str = "BEGIN IMMEDIATE") -> Iterator[None]:
    """Commit what is done inside, or nothing of it."""
    db.execute(begin)
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _prepare(db: sqlite3.Connection, path: Path, busy_seconds: float) -> None:
    _use_wal(db, path, busy_seconds)
    # FULL: an acknowledged record survives a loss of power, not only of the process.
    db.execute("PRAGMA synchronous = FULL")
    if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'log_identity'").fetchone():
        try:
            db.executescript(_SCHEMA)
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise


def _use_wal(db: sqlite3.Connection, path: Path, busy_seconds: float) -> None:
    mode = use_wal(db, busy_seconds)
    if mode != "wal":
        raise LogUnreachableError(
            f"event log {path}: several processes cannot share it there (journal mode {mode}); "
            "put it on a local disk"
        )
