"""What shards share: published once under a number, and when each shard adopted it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, and_, delete, func, insert, select
from sqlalchemy.exc import IntegrityError

from stream.adopted import Adoption
from stream.errors import CheckpointDamagedError
from stream.storage.database import reading, writing
from stream.storage.seal import is_sealed, seal
from stream.storage.tables import adoptions, belongs_to, shared


class Shared(msgspec.Struct, frozen=True):
    """One thing that the shards of a stream share.

    Parameters
    ----------
    kind
        What it is, such as ``average``.
    number
        Counts the things of its kind, from 1 on.
    created_at
        Seconds since the epoch.
    detail
        What a person can read of it.
    data
        The thing itself, verified.
    """

    kind: str
    number: int
    created_at: float
    detail: dict[str, Any]
    data: bytes


class SharedStore:
    """What the shards of one stream share.

    Parameters
    ----------
    engine
        The store's.
    stream
        Whose it is.
    secret
        Signs and verifies the blobs; None for digests only.
    """

    def __init__(self, engine: Engine, stream: str, secret: bytes | None) -> None:
        self._engine = engine
        self._stream = stream
        self._secret = secret

    def publish(
        self, kind: str, number: int, data: bytes, detail: Mapping[str, Any], now: float
    ) -> bool:
        """Publish something under a number; return whether nobody had done so before.

        Raises
        ------
        StoreUnreachableError
        """
        row = {
            "stream": self._stream,
            "kind": kind,
            "number": number,
            "created_at": now,
            "detail": dict(detail),
            "seal": seal(data, self._place(kind, number), self._secret),
            "data": data,
        }
        with writing(self._engine) as connection:
            try:
                with connection.begin_nested():
                    connection.execute(insert(shared).values(**row))
            except IntegrityError:
                return False
        return True

    def numbers(self) -> dict[str, int]:
        """Return the newest number of each kind."""
        query = select(shared.c.kind, func.max(shared.c.number)).where(
            shared.c.stream == self._stream
        )
        with reading(self._engine) as connection:
            found = connection.execute(query.group_by(shared.c.kind))
            return {row[0]: row[1] for row in found}

    def after(self, kind: str, number: int) -> list[int]:
        """Return the numbers of a kind that came after one, in order."""
        query = select(shared.c.number).where(self._of(kind), shared.c.number > number)
        with reading(self._engine) as connection:
            return list(connection.execute(query.order_by(shared.c.number)).scalars())

    def newest(self, kind: str) -> Shared | None:
        """Return the newest of a kind, or None.

        Raises
        ------
        CheckpointDamagedError
        """
        query = select(shared).where(self._of(kind)).order_by(shared.c.number.desc()).limit(1)
        return self._one(query)

    def get(self, kind: str, number: int) -> Shared | None:
        """Return one, or None where it is not there (any more).

        Raises
        ------
        CheckpointDamagedError
        """
        return self._one(select(shared).where(self._of(kind), shared.c.number == number))

    def forget(self, kind: str, keep: int) -> None:
        """Delete all of a kind but the newest, and who adopted them."""
        with writing(self._engine) as connection:
            newest = select(func.max(shared.c.number)).where(self._of(kind))
            last = (connection.execute(newest).scalar_one() or 0) - keep
            connection.execute(delete(shared).where(self._of(kind), shared.c.number <= last))
            theirs = and_(adoptions.c.stream == self._stream, adoptions.c.kind == kind)
            connection.execute(delete(adoptions).where(theirs, adoptions.c.number <= last))

    def _one(self, query: Any) -> Shared | None:
        with reading(self._engine) as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        data = bytes(row.data)
        if not is_sealed(data, self._place(row.kind, row.number), self._secret, row.seal):
            signed = "" if self._secret is None else ", or was not signed with RIVERRUN_SECRET"
            raise CheckpointDamagedError(
                f"{row.kind} {row.number}, which the shards of {self._stream} share, is "
                f"damaged{signed}"
            )
        return Shared(row.kind, row.number, row.created_at, row.detail, data)

    def _of(self, kind: str) -> Any:
        return and_(shared.c.stream == self._stream, shared.c.kind == kind)

    def _place(self, kind: str, number: int) -> str:
        return f"{self._stream}/shared/{kind}/{number}"


class Adoptions:
    """When one shard adopted what; written inside the transaction of its checkpoint.

    Parameters
    ----------
    engine
        The store's.
    stream, shard
        Whose they are.
    """

    def __init__(self, engine: Engine, stream: str, shard: str) -> None:
        self._engine = engine
        self._stream = stream
        self._shard = shard

    def all(self) -> list[Adoption]:
        """Return what was adopted, in order; without what has been forgotten since."""
        columns = [adoptions.c[name] for name in Adoption.__struct_fields__]
        query = select(*columns).where(self._mine()).order_by(adoptions.c.position)
        with reading(self._engine) as connection:
            return [Adoption(*row) for row in connection.execute(query)]

    def write(self, connection: Connection, checkpoint: int, rows: Sequence[Adoption]) -> None:
        """Add what was adopted before a checkpoint."""
        if rows:
            mine = {"stream": self._stream, "shard": self._shard, "checkpoint": checkpoint}
            values = [mine | msgspec.structs.asdict(row) for row in rows]
            connection.execute(insert(adoptions), values)

    def begin_anew(self, connection: Connection) -> None:
        """Delete them: a rebuild writes its own."""
        connection.execute(delete(adoptions).where(self._mine()))

    def go_back_to(self, connection: Connection, checkpoint: int) -> None:
        """Delete what came after a checkpoint."""
        after = adoptions.c.checkpoint > checkpoint
        connection.execute(delete(adoptions).where(self._mine(), after))

    def _mine(self) -> Any:
        return belongs_to(adoptions, self._stream, self._shard)
