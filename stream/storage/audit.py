"""The audit: every control action of a person, with who, what, why, when and from where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, and_, delete, insert, select

from stream.storage.database import reading, writing
from stream.storage.tables import audit, requests

KEPT = 100_000
_TRIM_EVERY = 100


class Actor(msgspec.Struct, frozen=True):
    """Who acts.

    Parameters
    ----------
    name
        Of a key, of who a token is of, or of a user of the machine.
    via
        How that is known: ``key``, ``session``, ``oidc``, ``open`` (it is not), or ``cli``.
    origin
        The address or the machine it came from.
    """

    name: str
    via: str = "cli"
    origin: str = ""


class Audit:
    """What was done to one stream by hand.

    Parameters
    ----------
    engine
        The store's.
    stream
        Whose it is.
    """

    def __init__(self, engine: Engine, stream: str) -> None:
        self._engine = engine
        self._stream = stream

    def write(
        self, action: str, actor: Actor, reason: str, detail: Mapping[str, Any], now: float
    ) -> None:
        """Write down an action that is done."""
        with writing(self._engine) as connection:
            write_action(connection, self._stream, action, actor, reason, detail, now)

    def entries(self, limit: int, before: int | None = None) -> list[dict[str, Any]]:
        """Return actions, the newest first, with what came of those that asked for something.

        Parameters
        ----------
        limit
            How many at most.
        before
            Only those with a smaller id.
        """
        together = audit.outerjoin(requests, audit.c.request == requests.c.id)
        wanted = audit.c.stream == self._stream
        if before is not None:
            wanted = and_(wanted, audit.c.id < before)
        query = (
            select(audit, requests.c.outcome, requests.c.handled_at)
            .select_from(together)
            .where(wanted)
            .order_by(audit.c.id.desc())
            .limit(limit)
        )
        with reading(self._engine) as connection:
            return [dict(row) for row in connection.execute(query).mappings()]


def write_action(
    connection: Connection,
    stream: str,
    action: str,
    actor: Actor,
    reason: str,
    detail: Mapping[str, Any],
    now: float,
    request: int | None = None,
) -> None:
    """Write an action down within a transaction; now and then forget the oldest of many.

    Parameters
    ----------
    connection
        The transaction.
    stream, action, actor, reason, detail, now
        Of what, what, who, why, the rest, and when in seconds since the epoch.
    request
        The request that it left for the worker.
    """
    row = {
        "stream": stream,
        "at": now,
        "action": action,
        "by": actor.name,
        "via": actor.via,
        "origin": actor.origin,
        "reason": reason,
        "detail": dict(detail),
        "request": request,
    }
    made = connection.execute(insert(audit).values(**row)).inserted_primary_key
    if made is not None and made[0] % _TRIM_EVERY == 0:
        old = and_(audit.c.stream == stream, audit.c.id <= made[0] - KEPT)
        connection.execute(delete(audit).where(old))
