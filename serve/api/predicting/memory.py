"""Answers that were given and recorded, so that the same id is answered the same again."""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import structlog

from serve.api.errors import AnswersFileError
from serve.api.predicting.lease import Lease
from stream.sqlite_wal import use_wal

_log = structlog.get_logger("riverrun.api")

_BUSY_MS = 500
_BUSY_MS_FAILING = 20
"""So long the event loop waits for a file that others write; and for one that failed it before."""
_TRIM_EVERY = 256
_TABLE = """
CREATE TABLE IF NOT EXISTS answers (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    stream TEXT NOT NULL, id TEXT NOT NULL, digest BLOB NOT NULL, answer BLOB NOT NULL,
    header BLOB NOT NULL DEFAULT x'', durable INTEGER NOT NULL DEFAULT 1,
    giver BLOB NOT NULL DEFAULT x'',
    UNIQUE (stream, id)
)"""
_ADDED = {
    "header": "ALTER TABLE answers ADD COLUMN header BLOB NOT NULL DEFAULT x''",
    "durable": "ALTER TABLE answers ADD COLUMN durable INTEGER NOT NULL DEFAULT 1",
    "giver": "ALTER TABLE answers ADD COLUMN giver BLOB NOT NULL DEFAULT x''",
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
        What its record carries as its header, where another process gave the answer and nobody
        knows yet that its record is on the log; else empty.
    giver
        The lease of the process that is to record it.
    """

    digest: bytes
    answer: bytes
    unrecorded: bytes = b""
    giver: bytes = b""


class AnswerMemory:
    """The newest recorded answers by id: in this process, and in a file that others read too.

    The file is a cache: it is not written durably, and where it fails the process goes on with
    what it remembers itself, and counts that.

    Whoever gives an answer records it. Of a process that was killed the record may never get to
    the log, so the file says who is to record an answer until it is known to be there, and
    one process takes over from a dead one when the answer is given again.

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
        self._lease: Lease | None = None
        self._is_failing = False
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
            self._lease = Lease(Path(f"{self._path}-givers"))
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise AnswersFileError(self._path, str(error)) from None

    def close(self) -> None:
        """Let go of the file: what is not recorded by now never will be. May be repeated."""
        for file in (self._file, self._of_recorder):
            if file is not None:
                file.close()
        self._file = self._of_recorder = None
        if self._lease is not None:
            self._lease.release()
        self._lease = None

    def recall(self, key: str) -> Given | None:
        """Return what was answered to an id, or None where that is not remembered."""
        found = self._own.get(key)
        if self._file is None or not (found is None or found.unrecorded):
            return found
        rows = self._select(key)
        if rows is None:
            return found
        self._own.pop(key, None)
        return self._keep(key, Given(*rows[0])) if rows else None

    def claim(self, key: str, given: Given) -> Given:
        """Remember an answer, unless another process answered just before: then return that."""
        if not self.capacity:
            return given
        if (before := self._own.get(key)) is not None:
            return before
        if self._file is not None and (before := self._write(key, given)) is not None:
            return self._keep(key, before)
        self._keep(key, given._replace(unrecorded=b""))  # this process records it
        return given

    def take_over(self, key: str, given: Given) -> bool:
        """Return whether this process is to record an answer from now on.

        That is so where the process that was to record it has ended before it was known to be on
        the log, and no other one has taken over.
        """
        if not given.unrecorded or self._file is None or self._lease is None:
            return False
        try:
            if self._lease.is_held(given.giver):
                return False
        except OSError:  # twice on the log is better than never
            self.failures += 1
        taken = self._run(
            "UPDATE answers SET giver = ? WHERE stream = ? AND id = ? AND giver = ? "
            "AND NOT durable RETURNING 1",
            *(self._lease.name, self._stream, key, given.giver),
        )
        if taken == []:
            return False
        # Where the file failed it may be recorded twice, and the worker drops the second one.
        self._keep(key, given._replace(unrecorded=b""))
        return True

    def give_back(self, key: str) -> None:
        """Take note that what was taken over was shed: asked again, it shall be recorded."""
        self._own.pop(key, None)
        self._run("UPDATE answers SET giver = x'' WHERE stream = ? AND id = ?", self._stream, key)

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

    def _keep(self, key: str, given: Given) -> Given:
        self._own[key] = given
        if len(self._own) > self.capacity:
            self._own.popitem(last=False)
        return given

    def _select(self, key: str) -> list[tuple[Any, ...]] | None:
        return self._run(
            "SELECT digest, answer, iif(durable, x'', header), giver FROM answers "
            "WHERE stream = ? AND id = ?",
            *(self._stream, key),
        )

    def _write(self, key: str, given: Given) -> Given | None:
        """Write an answer; return the one that another process had written before."""
        assert self._lease is not None  # noqa: S101
        rows = self._run(
            "INSERT INTO answers (stream, id, digest, answer, header, giver, durable) "
            "VALUES (?, ?, ?, ?, ?, ?, 0) ON CONFLICT DO NOTHING RETURNING number",
            *(self._stream, key, given.digest, given.answer, given.unrecorded, self._lease.name),
        )
        if rows is None:
            return None
        if not rows:
            before = self._select(key)
            return Given(*before[0]) if before else None
        self._written += 1
        if self._written % _TRIM_EVERY == 0:
            oldest = rows[0][0] - self.capacity
            self._run("DELETE FROM answers WHERE number <= ?", oldest)
        return None

    def _run(self, statement: str, *values: str | bytes | int) -> list[tuple[Any, ...]] | None:
        assert self._file is not None  # noqa: S101
        try:
            rows = self._file.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            self.failures += 1
            if self.failures == 1:
                _log.error("remembered_file_failed", stream=self._stream, reason=str(error))
            self._wait_for_others(_BUSY_MS_FAILING)
            self._is_failing = True
            return None
        if self._is_failing:
            self._wait_for_others(_BUSY_MS)
            self._is_failing = False
        return rows

    def _wait_for_others(self, milliseconds: int) -> None:
        assert self._file is not None  # noqa: S101
        self._file.execute(f"PRAGMA busy_timeout = {milliseconds}")


def _open(path: str) -> sqlite3.Connection:
    # Opened in a thread, used by the event loop's alone.
    file = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
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
