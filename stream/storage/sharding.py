"""The shards of a stream, as whoever looks at all of them sees them."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Engine, and_, func, select

from stream.storage.database import reading
from stream.storage.stored import StoredCheckpoint, stored_checkpoint
from stream.storage.tables import SHARD, checkpoints, shards


class Shard(NamedTuple):
    """One shard: who writes it, and where it is.

    Parameters
    ----------
    name
        Its name in the store.
    epoch, owner, acquired_at
        Of the newest claim: its number, the worker, and seconds since the epoch.
    newest
        The newest checkpoint; None before the first.
    """

    name: str
    epoch: int
    owner: str
    acquired_at: float
    newest: StoredCheckpoint | None


class Sharding:
    """The shards of one stream.

    Parameters
    ----------
    engine
        The store's.
    stream
        Whose they are.
    """

    def __init__(self, engine: Engine, stream: str) -> None:
        self._engine = engine
        self._stream = stream

    def names(self) -> list[str]:
        """Return the names of the shards that were ever claimed; of a divided stream, its parts.

        Raises
        ------
        StoreUnreachableError
        """
        query = select(shards.c.shard).where(shards.c.stream == self._stream)
        with reading(self._engine) as connection:
            return _parts(sorted(connection.execute(query).scalars()))

    def all(self) -> list[Shard]:
        """Return every shard, by name; of a divided stream, its parts without the whole.

        Raises
        ------
        StoreUnreachableError
        """
        claimed = select(shards).where(shards.c.stream == self._stream)
        with reading(self._engine) as connection:
            newest = {row.shard: row for row in connection.execute(self._newest())}
            rows = connection.execute(claimed.order_by(shards.c.shard)).all()
        parts = _parts([row.shard for row in rows])
        return [
            Shard(
                row.shard,
                row.epoch,
                row.owner,
                row.acquired_at,
                stored_checkpoint(newest[row.shard]) if row.shard in newest else None,
            )
            for row in rows
            if row.shard in parts
        ]

    def _newest(self) -> Any:
        last = (
            select(checkpoints.c.shard, func.max(checkpoints.c.number).label("number"))
            .where(checkpoints.c.stream == self._stream)
            .group_by(checkpoints.c.shard)
            .subquery()
        )
        same = and_(checkpoints.c.shard == last.c.shard, checkpoints.c.number == last.c.number)
        return select(checkpoints).join(last, same).where(checkpoints.c.stream == self._stream)


def _parts(names: list[str]) -> list[str]:
    """Leave out the whole, where there are parts: its rows are those of the coordinator."""
    return [name for name in names if name != SHARD] or names
