"""Labels that contradict others, as they came with checkpoints; the newest of them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, Engine, delete, func, insert, select, tuple_

from stream.opinions import Conflict
from stream.storage.database import reading
from stream.storage.tables import belongs_to, label_conflicts

KEPT = 10_000
"""Conflicts that stay; those of the oldest checkpoints are forgotten first."""

Place = tuple[int, int]
"""Checkpoint, and place in it."""


class Disagreements:
    """The conflicts of one shard's labels.

    Parameters
    ----------
    engine
        The store's.
    stream, shard
        Whose they are.
    """

    def __init__(self, engine: Engine, stream: str, shard: str) -> None:
        self._engine = engine
        self._key = {"stream": stream, "shard": shard}
        self._mine = belongs_to(label_conflicts, stream, shard)

    def write(self, connection: Connection, number: int, conflicts: Sequence[Conflict]) -> None:
        """Write those that came with a checkpoint, and forget the oldest of too many."""
        if not conflicts:
            return
        rows = [
            {
                **self._key,
                "number": number,
                "position": position,
                "event": one.id,
                "detail": msgspec.to_builtins(one),
            }
            for position, one in enumerate(conflicts)
        ]
        connection.execute(insert(label_conflicts), rows)
        c = label_conflicts.c
        oldest = connection.execute(
            select(c.number).where(self._mine).order_by(c.number.desc()).offset(KEPT).limit(1)
        ).scalar_one_or_none()
        if oldest is not None:
            connection.execute(delete(label_conflicts).where(self._mine, c.number <= oldest))

    def begin_anew(self, connection: Connection) -> None:
        """Forget all: what comes does not continue it."""
        connection.execute(delete(label_conflicts).where(self._mine))

    def go_back_to(self, connection: Connection, number: int) -> None:
        """Forget what came with later checkpoints."""
        later = label_conflicts.c.number > number
        connection.execute(delete(label_conflicts).where(self._mine, later))

    def count(self) -> int:
        """Return how many there are."""
        query = select(func.count()).select_from(label_conflicts).where(self._mine)
        with reading(self._engine) as connection:
            return int(connection.execute(query).scalar_one())

    def newest(self, limit: int, before: Place | None = None) -> list[tuple[Place, Conflict]]:
        """Return conflicts, the newest first.

        Parameters
        ----------
        limit
            How many at most.
        before
            Only those that came before this one.
        """
        c = label_conflicts.c
        wanted = [self._mine]
        if before is not None:
            wanted.append(tuple_(c.number, c.position) < tuple_(*before))
        query = select(c.number, c.position, c.detail).where(*wanted)
        query = query.order_by(c.number.desc(), c.position.desc()).limit(limit)
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
        return [
            ((row.number, row.position), msgspec.convert(row.detail, type=Conflict)) for row in rows
        ]
