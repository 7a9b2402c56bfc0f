"""A backup: a SQLite file with a store's tables, and a manifest of what stands in them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from sqlalchemy import Column, Connection, Engine, MetaData, Table, Text, insert, inspect, select

from stream.errors import BackupError, CheckpointDamagedError, StoreUnreachableError
from stream.storage.connect import connect, reading
from stream.storage.contents import Content, content_of, tables_in
from stream.storage.schema import found_version, upgrade
from stream.storage.store import Store
from stream.storage.tables import SCHEMA_VERSION, checkpoints

_manifest = Table("riverrun_backup", MetaData(), Column("manifest", Text, nullable=False))


class Manifest(msgspec.Struct, frozen=True):
    """What a backup holds.

    Parameters
    ----------
    made_at
        Seconds since the epoch.
    riverrun
        Version of the riverrun that made it.
    database
        Of the store: ``sqlite`` or ``postgresql``.
    tables
        Number of rows and digest of each table.
    """

    made_at: float
    riverrun: str
    database: str
    tables: dict[str, Content]


def write_manifest(connection: Connection, manifest: Manifest) -> None:
    """Write the manifest of a backup; one of a backup before it gives way."""
    _manifest.drop(connection, checkfirst=True)
    _manifest.create(connection)
    text = msgspec.json.encode(manifest).decode()
    connection.execute(insert(_manifest).values(manifest=text))


@contextmanager
def opened_backup(path: Path) -> Iterator[tuple[Engine, Manifest]]:
    """Verify a backup against its manifest, and open a copy of it with the tables of today.

    The copy goes away afterwards; the file itself is only read.

    Raises
    ------
    BackupError
        When the file cannot be read, is no backup, or is not as it was made.
    StoreVersionError
        When a newer riverrun made it.
    """
    with TemporaryDirectory(prefix="riverrun-") as folder:
        copy = Path(folder) / "backup.db"
        try:
            shutil.copyfile(path, copy)
        except OSError as error:
            raise BackupError(f"{path}: {error.strerror or error}") from None
        engine = connect(f"sqlite:///{copy}")
        try:
            manifest = _verified(engine, path)
            if (found_version(engine) or 0) != SCHEMA_VERSION:
                upgrade(engine)
            yield engine, manifest
        finally:
            engine.dispose()


def damages(url: str, secret: bytes | None) -> list[str]:
    """Return what does not fit its seal: checkpoints, references, models, panes, keys' models."""
    engine = connect(url)
    query = select(checkpoints.c.stream, checkpoints.c.shard).distinct()
    with reading(engine) as connection:
        shards = connection.execute(query).all()
    engine.dispose()
    found: list[str] = []
    for stream, shard in shards:
        with closing(Store(url, stream, shard=shard, secret=secret)) as store:
            for look in _looks(store):
                try:
                    look()
                except CheckpointDamagedError as error:
                    found.append(str(error))
            found += [
                f"pane {pane.row.index} of {stream} is damaged: its {' and '.join(pane.damaged)}"
                for pane in store.history.each()
                if pane.damaged
            ]
            found += store.key_models.verify()
    return found


def _looks(store: Store) -> Iterator[Callable[[], object]]:
    """Yield what reads each sealed blob of a store."""
    for stored in store.checkpoints():
        yield partial(store.load, stored)
    for version in store.history.versions():
        yield partial(store.history.reference, version)
    for kept in store.runs.kept():
        yield partial(store.runs.model, kept["version"], kept["moment"])


def _verified(engine: Engine, path: Path) -> Manifest:
    """Return the manifest of a backup whose tables are as it says."""
    try:
        with reading(engine) as connection:
            if not inspect(connection).has_table(_manifest.name):
                raise BackupError(f"{path} is no backup; 'riverrun store backup FILE' makes one")
            whole = connection.exec_driver_sql("PRAGMA integrity_check").scalar_one()
            if whole != "ok":
                raise BackupError(f"{path} is damaged: {whole.splitlines()[0]}")
            text = connection.execute(select(_manifest.c.manifest)).scalar_one()
            manifest = msgspec.json.decode(text, type=Manifest)
            there = {table.name: table for table in tables_in(connection)}
            for name, (rows, digest) in manifest.tables.items():
                found = None if name not in there else content_of(connection, there[name])
                if found != (rows, digest):
                    raise BackupError(
                        f"{path} is damaged: its table {name!r} is not as it was when the backup "
                        "was made. Nothing was restored; take another backup"
                    )
    except (StoreUnreachableError, msgspec.MsgspecError, ValueError) as error:
        said = str(error).partition("store sqlite")[0] or "it is damaged, or no database"
        raise BackupError(f"{path} is no backup that can be read: {said}") from None
    return manifest
