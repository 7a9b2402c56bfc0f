"""What a person should be able to find afterwards; the newest of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Engine, delete, insert, select

from stream.storage.database import reading
from stream.storage.tables import happenings

KEPT = 10_000
_TRIM_EVERY = 100


def write_happening(
    connection: Connection, stream: str, kind: str, detail: Mapping[str, Any], now: float
) -> None:
    """Write down one thing, and now and then forget what is older than the last ``KEPT``."""
    row = {"stream": stream, "at": now, "kind": kind, "detail": dict(detail)}
    key = connection.execute(insert(happenings).values(**row)).inserted_primary_key
    if key is not None and key[0] % _TRIM_EVERY == 0:
        old = happenings.c.id <= key[0] - KEPT
        connection.execute(delete(happenings).where(happenings.c.stream == stream, old))


def read_happenings(engine: Engine, stream: str, limit: int) -> list[dict[str, Any]]:
    """Return what was written down, newest first."""
    query = (
        select(happenings.c.at, happenings.c.kind, happenings.c.detail)
        .where(happenings.c.stream == stream)
        .order_by(happenings.c.id.desc())
        .limit(limit)
    )
    with reading(engine) as connection:
        return [row._asdict() for row in connection.execute(query)]
