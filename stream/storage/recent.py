"""What came lately, in the store: chunks of the newest predictions, and anomalies as they came."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Engine, delete, func, insert, select

from stream.errors import CheckpointDamagedError
from stream.recent import Recent, RecentChunk, RecentWrite, Sighting, joined
from stream.storage.database import reading, writing
from stream.storage.happenings import write_happening
from stream.storage.tables import belongs_to, predictions, sightings
from stream.watching.groups import Group

SIGHTINGS_KEPT = 1_000
"""Checkpoints with anomalies that stay."""

_PAGE = 500
_COLUMNS = [predictions.c[name] for name in ("number", "at", "last", "data")]
_decode = msgspec.msgpack.Decoder(RecentChunk).decode


class StoredChunk(NamedTuple):
    """A chunk as it is stored: its checkpoint's number and time, and the predictions ever made."""

    number: int
    at: float
    last: int
    chunk: RecentChunk


class RecentStore:
    """What came lately on one shard. It is written inside the transaction of a checkpoint.

    Parameters
    ----------
    engine
        The store's.
    stream, shard
        Whose it is.
    """

    def __init__(self, engine: Engine, stream: str, shard: str) -> None:
        self._engine = engine
        self._key = {"stream": stream, "shard": shard}
        self._predictions = belongs_to(predictions, stream, shard)
        self._sightings = belongs_to(sightings, stream, shard)

    def begin(self, keep: int, seen: Sequence[Group] | None, now: float) -> Recent:
        """Return what collects from the newest checkpoint on.

        Where something kept is damaged all of it is forgotten, and that is written down: it is for
        people to look at, and the predictions topic has it too.

        Parameters
        ----------
        keep
            How many predictions are kept.
        seen
            As for ``Recent``.
        now
            Seconds since the epoch.
        """
        last, ids = self.last(), list[str]()
        try:
            chunks = [(one.at, one.chunk) for one in self.chunks()] if keep else []
            ids = [known.said.id for known in joined(chunks, last - keep).values()]
        except CheckpointDamagedError as error:
            detail = {"message": str(error)}
            with writing(self._engine) as connection:
                connection.execute(delete(predictions).where(self._predictions))
                stream = self._key["stream"]
                write_happening(connection, stream, "predictions_damaged", detail, now)
        return Recent(keep, last=last, ids=ids, seen=seen)

    def write(self, connection: Connection, number: int, new: RecentWrite, now: float) -> None:
        """Add what came with a checkpoint, and forget what is older than what is kept."""
        mine = self._key | {"number": number, "at": now}
        if new.chunk is not None:
            values = {"last": new.last, "count": new.count, "data": new.chunk}
            connection.execute(insert(predictions).values(**mine, **values))
        if new.chunk is not None or not new.keep:
            old = predictions.c.last <= new.last - new.keep
            connection.execute(delete(predictions).where(self._predictions, old))
        if new.sightings:
            data = msgspec.to_builtins(new.sightings)
            connection.execute(insert(sightings).values(**mine, data=data))
            self._forget_sightings(connection)

    def go_back_to(self, connection: Connection, number: int) -> None:
        """Delete what came after a checkpoint."""
        for table, mine in ((predictions, self._predictions), (sightings, self._sightings)):
            connection.execute(delete(table).where(mine, table.c.number > number))

    def last(self) -> int:
        """Return the number of the newest prediction; 0 for none."""
        query = select(func.max(predictions.c.last)).where(self._predictions)
        with reading(self._engine) as connection:
            return connection.execute(query).scalar_one() or 0

    def numbers(self) -> list[int]:
        """Return the numbers of the checkpoints that brought chunks, oldest first."""
        query = select(predictions.c.number).where(self._predictions)
        with reading(self._engine) as connection:
            return list(connection.execute(query.order_by(predictions.c.number)).scalars())

    def chunks(self, after: int = 0) -> Iterator[StoredChunk]:
        """Yield the chunks of the checkpoints after one, oldest first, reading a few at a time."""
        while True:
            query = select(*_COLUMNS).where(self._predictions, predictions.c.number > after)
            query = query.order_by(predictions.c.number).limit(_PAGE)
            with reading(self._engine) as connection:
                rows = connection.execute(query).all()
            for row in rows:
                yield _stored(row)
            if len(rows) < _PAGE:
                return
            after = rows[-1].number

    def newest(self, after: int, limit: int) -> list[StoredChunk]:
        """Return the newest chunks of the checkpoints after one, oldest first."""
        query = select(*_COLUMNS).where(self._predictions, predictions.c.number > after)
        query = query.order_by(predictions.c.number.desc()).limit(limit)
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
        return [_stored(row) for row in reversed(rows)]

    def sightings(self, after: int, limit: int) -> list[tuple[int, float, list[Sighting]]]:
        """Return the anomalies of the checkpoints after one, oldest first.

        Parameters
        ----------
        after
            A checkpoint's number.
        limit
            Checkpoints at most.
        """
        columns = (sightings.c.number, sightings.c.at, sightings.c.data)
        query = select(*columns).where(self._sightings, sightings.c.number > after)
        with reading(self._engine) as connection:
            rows = connection.execute(query.order_by(sightings.c.number).limit(limit)).all()
        return [(r.number, r.at, msgspec.convert(r.data, list[Sighting])) for r in rows]

    def _forget_sightings(self, connection: Connection) -> None:
        kept = select(sightings.c.number).where(self._sightings)
        kept = kept.order_by(sightings.c.number.desc()).offset(SIGHTINGS_KEPT).limit(1)
        oldest: Any = connection.execute(kept).scalar_one_or_none()
        if oldest is not None:
            old = sightings.c.number <= oldest
            connection.execute(delete(sightings).where(self._sightings, old))


def _stored(row: Any) -> StoredChunk:
    try:
        return StoredChunk(row.number, row.at, row.last, _decode(row.data))
    except msgspec.MsgspecError as error:
        raise CheckpointDamagedError(
            f"the predictions that came with checkpoint {row.number} are damaged: {error}"
        ) from None
