"""The model versions that ever served a stream."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, Engine, and_, insert, select
from sqlalchemy.exc import IntegrityError

from stream.storage.database import reading
from stream.storage.stored import Identity
from stream.storage.tables import versions


def write_version(
    connection: Connection, stream: str, version: str, reason: str, identity: Identity, now: float
) -> None:
    """Write down a version that serves, unless that was done before."""
    mine = and_(versions.c.stream == stream, versions.c.version == version)
    if connection.execute(select(versions.c.version).where(mine)).first() is None:
        row = {
            "stream": stream,
            "version": version,
            "created_at": now,
            "reason": reason,
            "fingerprint": identity.fingerprint,
            "libraries": identity.libraries,
        }
        # Another shard may write the same version at this moment.
        with suppress(IntegrityError), connection.begin_nested():
            connection.execute(insert(versions).values(**row))


def read_versions(engine: Engine, stream: str) -> list[dict[str, Any]]:
    """Return the rows of all versions, oldest first."""
    query = select(versions).where(versions.c.stream == stream).order_by(versions.c.created_at)
    with reading(engine) as connection:
        return [row._asdict() for row in connection.execute(query)]
