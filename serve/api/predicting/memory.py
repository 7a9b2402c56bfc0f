"""Answers that were given and recorded, so that the same id is answered the same again."""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, NamedTuple

import structlog

from serve.api.errors import AnswersFileError
from stream.sqlite_wal import use_wal

_log = structlog.get_logger("riverrun.api")

_BUSY_MS = 50
_TRIM_EVERY = 256
_TABLE = """
CREATE TABLE IF NOT EXISTS answers (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    stream TEXT NOT NULL, id TEXT NOT NULL, digest BLOB NOT NULL, answer BLOB NOT NULL,
    header BLOB NOT NULL DEFAULT x'', durable INTEGER NOT NULL DEFAULT 1,
    UNIQUE (stream, id)
)"""
_ADDED = {
    "header": "ALTER TABLE answers ADD COLUMN header BLOB NOT NULL DEFAULT x''",
    "durable": "ALTER TABLE answers ADD COLUMN durable INTEGER NOT NULL DEFAULT 1",
}
"""Columns that files of older releases lack."""


class Given(NamedTuple):
    """An answer, and what it was given to.

    Parameters
    ----------
    digest
        Of the event.
    answer
        Its JSON.
    unrecorded
        What its record carries as its header, where nobody knows yet that the record is on the
        log; else empty. Of a process that was killed it may never get there: whoever gives the
        answer again records it.
    """

    digest: bytes
    answer: bytes
    unrecorded: bytes = b""


class AnswerMemory:
    """The newest recorded answers by id: in this process, and in a file that others read too.

    The file is a cache: it is not written durably, and where it fails the process goes on with
    what it remembers itself, and counts that.

    Parameters
    ----------
    capacity
        Answers remembered, in the process and in the file.
    file
        Path of an SQLite database that the processes of one machine share, or None.
    stream
        Whose answers they are; a file may hold those of several.

    Attributes
    ----------
    capacity
        As given; with 0 nothing is remembered.
    repeated
        Requests that were answered from here.
    failures
        Times the file could not be read or written.

    Examples
    --------
    >>> memory = AnswerMemory(2, None, "flights")
    >>> memory.claim("a", Given(b"1", b"{}")).answer
    b'{}'
    >>> memory.claim("a", Given(b"1", b"[]")).answer  # the first one counts
    b'{}'
    >>> memory.recall("b") is None
    True
    """

    def __init__(self, capacity: int, file: str | None, stream: str) -> None:
        self.repeated = 0
        self.failures = 0
        self.capacity = capacity
        self._path = file if capacity else None
        self._stream = stream
        self._own: OrderedDict[str, Given] = OrderedDict()
        self._file: sqlite3.Connection | None = None
        self._of_recorder: sqlite3.Connection | None = None
        self._written = 0

    def __len__(self) -> int:
        return len(self._own)

    def open(self) -> None:
        """Open the file, where there is one.

        Raises
        ------
        AnswersFileError
            When it cannot be used.
        """
        if self._path is None or self._file is not None:
            return
        try:
            self._file = _open(self._path)
            self._of_recorder = _open(self._path)
        except sqlite3.Error as error:
            raise AnswersFileError(self._path, str(error)) from None

    def close(self) -> None:
        """Let go of the file. May be repeated."""
        for file in (self._file, self._of_recorder):
            if file is not None:
                file.close()
        self._file = self._of_recorder = None

    def recall(self, key: str) -> Given | None:
        """Return what was answered to an id, or None where that is not remembered."""
        found = self._own.get(key)
        if found is None and self._file is not None:
            found = self._read(key)
            if found is not None:
                self._keep(key, found)
        return found

    def claim(self, key: str, given: Given) -> Given:
        """Remember an answer, unless another process answered just before: then return that."""
        if not self.capacity:
            return given
        if (before := self._own.get(key)) is not None:
            return before
        if self._file is not None:
            given = self._write(key, given)
        self._keep(key, given._replace(unrecorded=b""))  # this process records it
        return given

    def taken_over(self, key: str) -> None:
        """Take note that this process records what another one had answered."""
        if (given := self._own.get(key)) is not None:
            self._own[key] = given._replace(unrecorded=b"")

    def recorded(self, keys: Sequence[str]) -> None:
        """Take note that records are on the log. Called by the thread that appends them."""
        file = self._of_recorder
        if file is None:
            return
        try:
            file.execute("BEGIN IMMEDIATE")
            file.executemany(
                "UPDATE answers SET durable = 1 WHERE stream = ? AND id = ?",
                [(self._stream, key) for key in keys],
            )
            file.execute("COMMIT")
        except sqlite3.Error:  # then they are appended once more at worst, and dropped as repeats
            self.failures += 1
            if file.in_transaction:
                file.rollback()

    def forget(self, key: str) -> None:
        """Take back an answer whose record was shed: asked again, it shall be recorded."""
        self._own.pop(key, None)
        if self._file is not None:
            self._run("DELETE FROM answers WHERE stream = ? AND id = ?", self._stream, key)

    def _keep(self, key: str, given: Given) -> None:
        self._own[key] = given
        if len(self._own) > self.capacity:
            self._own.popitem(last=False)

    def _read(self, key: str) -> Given | None:
        rows = self._run(
            "SELECT digest, answer, iif(durable, x'', header) FROM answers "
            "WHERE stream = ? AND id = ?",
            self._stream,
            key,
        )
        return Given(*rows[0]) if rows else None

    def _write(self, key: str, given: Given) -> Given:
        rows = self._run(
            "INSERT INTO answers (stream, id, digest, answer, header, durable) "
            "VALUES (?, ?, ?, ?, ?, 0) "
            "ON CONFLICT DO NOTHING RETURNING number",
            self._stream,
            key,
            *given,
        )
        if rows is None:
            return given
        if not rows:
            return self._read(key) or given
        self._written += 1
        if self._written % _TRIM_EVERY == 0:
            oldest = rows[0][0] - self.capacity
            self._run("DELETE FROM answers WHERE number <= ?", oldest)
        return given

    def _run(self, statement: str, *values: str | bytes | int) -> list[tuple[Any, ...]] | None:
        assert self._file is not None  # noqa: S101
        try:
            return self._file.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            self.failures += 1
            if self.failures == 1:
                _log.error("remembered_file_failed", stream=self._stream, reason=str(error))
            return None


def _open(path: str) -> sqlite3.Connection:
    # Opened in a thread, used by the event loop's alone.
    file = sqlite3.connect(
        path, timeout=_BUSY_MS / 1000, isolation_level=None, check_same_thread=False
    )
    try:
        file.execute("PRAGMA busy_timeout = 5000")  # several processes start at once
        use_wal(file, busy_seconds=5.0)
        file.execute("PRAGMA synchronous = OFF")
        file.execute(_TABLE)
        known = {row[1] for row in file.execute("PRAGMA table_info(answers)")}
        for column, statement in _ADDED.items():
            if column not in known:
                _add_column(file, statement)
        file.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
    except sqlite3.Error:
        file.close()
        raise
    return file


def _add_column(file: sqlite3.Connection, statement: str) -> None:
    try:
        file.execute(statement)
    except sqlite3.OperationalError as error:
        if "duplicate column" not in str(error):  # another process was faster
            raise
