"""Restoring a backup into a store: all of it or nothing, and never under a running worker."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from stream.errors import BackupError
from stream.storage.audit import Actor, write_action
from stream.storage.backup_file import Manifest
from stream.storage.connect import reading, shown, writing
from stream.storage.contents import content_of, copy_rows
from stream.storage.happenings import write_happening
from stream.storage.schema import prepare
from stream.storage.tables import SCHEMA_VERSION, about, checkpoints, metadata, shards

_QUIET_SECONDS = 60.0
"""A worker elsewhere that has written within so long counts as running."""


class Restored(msgspec.Struct, frozen=True):
    """What was restored: rows in all, and the newest checkpoint of each stream."""

    rows: int
    checkpoints: dict[str, int]


def restore_backup(
    backup: Engine, manifest: Manifest, engine: Engine, *, force: bool, actor: Actor, now: float
) -> Restored:
    """Put the rows of a verified backup into a store.

    Every shard gets an epoch above any that either knew: a worker that still runs somewhere is
    fenced, and changes nothing.

    Parameters
    ----------
    backup, manifest
        From ``opened_backup``.
    engine
        The store's; its tables are created where there are none.
    force
        Replace what it holds.
    actor, now
        Who restores, and when in seconds since the epoch, for what is written down.

    Raises
    ------
    BackupError
        When the store holds something, or a worker runs on it.
    StoreVersionError, StoreUnreachableError
        Nothing was changed.
    """
    prepare(engine)
    with reading(backup) as source, writing(engine) as target:
        _refuse_running(target, engine, now)
        _refuse_filled(target, engine, force)
        epochs = {(row.stream, row.shard): row.epoch for row in target.execute(select(shards))}
        for table in metadata.sorted_tables:
            target.execute(delete(table))
        rows = 0
        for table in metadata.sorted_tables:
            copied = copy_rows(source, target, table)
            if content_of(target, table) != copied:
                raise BackupError(
                    f"table {table.name!r} did not come over as it is; nothing was restored"
                )
            rows += copied.rows
        target.execute(
            update(about).where(about.c.key == "schema").values(value=str(SCHEMA_VERSION))
        )
        _number_on(target)
        newest = _newest(target)
        _fence(target, epochs, now)
        detail = {"made_at": manifest.made_at, "riverrun": manifest.riverrun}
        for stream, number in newest.items():
            told = detail | {"checkpoint": number}
            write_happening(target, stream, "restored", told, now)
            write_action(target, stream, "store_restore", actor, "", told, now)
    return Restored(rows, newest)


def _refuse_running(connection: Connection, engine: Engine, now: float) -> None:
    for row in connection.execute(select(shards)):
        host, _, process = row.owner.rpartition(":")
        if host == socket.gethostname() and process.isdigit():
            running = int(process) != os.getpid() and _is_alive(int(process))
        else:
            mine = (checkpoints.c.stream == row.stream) & (checkpoints.c.shard == row.shard)
            query = select(func.max(checkpoints.c.created_at)).where(mine)
            last = max(row.acquired_at, connection.execute(query).scalar_one() or 0.0)
            running = abs(now - last) < _QUIET_SECONDS
        if running:
            raise BackupError(
                f"a worker of {row.stream!r} ({row.owner}) runs on store {shown(engine)}, or did "
                f"within the last {_QUIET_SECONDS:.0f} s. Stop it first; nothing was restored"
            )


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _refuse_filled(connection: Connection, engine: Engine, force: bool) -> None:
    if force:
        return
    for table in metadata.sorted_tables:
        if table is about:
            continue
        count = connection.execute(select(func.count()).select_from(table)).scalar_one()
        if count:
            raise BackupError(
                f"store {shown(engine)} is not empty: {table.name} has {count:,} rows. Nothing was "
                "restored; name an empty store, or replace what it holds with --force"
            )


def _number_on(connection: Connection) -> None:
    """Let the server's own numbering of rows go on after those that came."""
    if connection.dialect.name != "postgresql":
        return
    for table in metadata.sorted_tables:
        column = table.autoincrement_column
        if column is not None and len(table.primary_key) == 1:
            last = connection.execute(select(func.max(column))).scalar_one()
            sequence = func.pg_get_serial_sequence(table.name, column.name)
            if last is not None:
                connection.execute(select(func.setval(sequence, last)))


def _newest(connection: Connection) -> dict[str, int]:
    query = select(checkpoints.c.stream, func.max(checkpoints.c.number))
    rows: Sequence[Any] = connection.execute(query.group_by(checkpoints.c.stream)).all()
    return {stream: int(number) for stream, number in rows}


def _fence(connection: Connection, epochs: dict[tuple[str, str], int], now: float) -> None:
    values = {"owner": "restored", "acquired_at": now}
    for row in connection.execute(select(shards)).all():
        own = (shards.c.stream == row.stream) & (shards.c.shard == row.shard)
        epoch = max(row.epoch, epochs.pop((row.stream, row.shard), 0)) + 1
        connection.execute(update(shards).where(own).values(epoch=epoch, **values))
    for (stream, shard), epoch in epochs.items():  # what the backup does not know
        key = {"stream": stream, "shard": shard, "epoch": epoch + 1, "last_number": 0}
        connection.execute(insert(shards).values(**key, **values))
