"""Backing a store up while a worker writes it: one consistent state, in one file."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import msgspec
from sqlalchemy import Engine, MetaData

from stream.errors import BackupError
from stream.storage.backup_file import Manifest, damages, write_manifest
from stream.storage.connect import connect, reading, shown, translated, writing
from stream.storage.contents import content_of, copy_rows, tables_in
from stream.storage.schema import found_version
from stream.storage.tables import SCHEMA_VERSION

_BUSY_SECONDS = 10


class Backup(msgspec.Struct, frozen=True):
    """What was made.

    Parameters
    ----------
    manifest
        What stands in the file, too.
    size
        Of the file in bytes.
    version
        Of the store's tables.
    damaged
        What in the store does not fit its seal, sentence by sentence; the copy is as bad.
    """

    manifest: Manifest
    size: int
    version: int
    damaged: list[str]


def make_backup(engine: Engine, path: Path, secret: bytes | None, *, now: float) -> Backup:
    """Copy a store as it is at one moment into a file; who writes the store does not wait.

    SQLite copies its pages by itself. A server's rows are read in one transaction that sees one
    state. The file comes into its place whole: a backup that is broken off leaves nothing there.

    Parameters
    ----------
    engine
        The store's. Its tables may be older than those of this riverrun.
    path
        Of the file; one that is there is replaced.
    secret
        With which seals are verified; None for digests only.
    now
        Seconds since the epoch.

    Raises
    ------
    BackupError
        When there is nothing to copy, or the file cannot be written.
    StoreVersionError, StoreUnreachableError
    """
    version = found_version(engine)
    if version is None:
        raise BackupError(f"store {shown(engine)} is empty: there is nothing to back up")
    if version > SCHEMA_VERSION:
        raise BackupError(
            f"store {shown(engine)} has tables of version {version}, and this riverrun knows "
            f"{SCHEMA_VERSION} at most; take the backup with the riverrun that wrote it"
        )
    partial = path.with_name(path.name + ".partial")
    try:
        _remove(partial)
        # Others must not read it: sessions are signed with what stands in the store.
        partial.touch(mode=0o600)
        return _write(engine, path, partial, secret, version, now)
    except (OSError, sqlite3.Error) as error:
        said = getattr(error, "strerror", None) or error
        raise BackupError(f"{path}: {said}; no backup was made") from None
    finally:
        with suppress(OSError):
            _remove(partial)


def _write(
    engine: Engine, path: Path, partial: Path, secret: bytes | None, version: int, now: float
) -> Backup:
    url = f"sqlite:///{partial}"
    if engine.dialect.name == "sqlite":
        _copy_file(engine, partial)
    file = connect(url)
    try:
        if engine.dialect.name != "sqlite":
            _copy_tables(engine, file)
        with writing(file) as connection:
            tables = {t.name: content_of(connection, t) for t in tables_in(connection)}
            manifest = Manifest(now, _own_version(), engine.dialect.name, tables)
            write_manifest(connection, manifest)
    finally:
        file.dispose()
    found = damages(url, secret) if version == SCHEMA_VERSION else []
    _one_file(partial)
    partial.replace(path)
    return Backup(manifest, path.stat().st_size, version, found)


def _copy_file(engine: Engine, target: Path) -> None:
    with (
        translated(engine),
        closing(engine.raw_connection()) as source,
        closing(sqlite3.connect(target, timeout=_BUSY_SECONDS)) as copy,
    ):
        driver = source.driver_connection
        if driver is not None:
            driver.backup(copy)


def _copy_tables(engine: Engine, file: Engine) -> None:
    one_state = engine.execution_options(
        isolation_level="REPEATABLE READ", postgresql_readonly=True
    )
    with reading(one_state) as source, writing(file) as target:
        for table in tables_in(source):
            table.to_metadata(MetaData()).create(target)
            copied = copy_rows(source, target, table)
            if content_of(target, table) != copied:
                raise BackupError(
                    f"table {table.name!r} did not come over as it is; no backup was made"
                )


def _one_file(path: Path) -> None:
    """Let all of it stand in one file, on the disk."""
    with closing(sqlite3.connect(path, timeout=_BUSY_SECONDS)) as db:
        db.execute("PRAGMA journal_mode = DELETE")
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(path: Path) -> None:
    for end in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + end).unlink(missing_ok=True)


def _own_version() -> str:
    from stream.storage.identity import libraries

    return libraries()["riverrun"]
