"""Predictions that ``riverrun score`` made ahead of time, to be looked up by id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, delete, func, insert, select

from stream.errors import CheckpointDamagedError
from stream.labels import Label
from stream.learner import Prediction
from stream.storage.database import reading, writing
from stream.storage.tables import precomputed

_IDS_AT_ONCE = 500  # databases limit the parameters of one statement


class Scored(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A prediction made ahead of time.

    Parameters
    ----------
    id
        The event's.
    time
        Its event time in milliseconds; None where the stream's events have none.
    said_at
        When it was predicted, in milliseconds since the epoch.
    prediction
        As ``Learner.predict`` returned it.
    model_version, learned_offset
        Of the model; None for the latter where it came out of a file.
    features_hash
        Digest of the features.
    value
        The event's JSON; None where it was too large to keep.
    label
        Where the file has one.
    """

    id: str
    time: int | None
    said_at: int
    prediction: Prediction
    model_version: str
    learned_offset: int | None
    features_hash: str
    value: bytes | None
    label: Label | None


class StoredScore(msgspec.Struct, frozen=True):
    """A prediction made ahead of time, with its number: they are counted as they are stored."""

    number: int
    scored: Scored


_decode = msgspec.msgpack.Decoder(Scored).decode


class Precomputed:
    """The predictions of one stream that were made ahead of time; of one id, the newest.

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
        self._mine = precomputed.c.stream == stream

    def add(self, scored: Sequence[Scored], keep: int) -> int:
        """Store predictions in one transaction, and forget the oldest beyond what is kept.

        Parameters
        ----------
        scored
            The last one of an id counts.
        keep
            How many stay in all.

        Returns
        -------
        int
            How many were forgotten.
        """
        newest = {one.id: one for one in scored}
        ids = list(newest)
        with writing(self._engine) as connection:
            last = select(func.max(precomputed.c.number)).where(self._mine)
            number = connection.execute(last).scalar_one() or 0
            for start in range(0, len(ids), _IDS_AT_ONCE):
                same = precomputed.c.id.in_(ids[start : start + _IDS_AT_ONCE])
                connection.execute(delete(precomputed).where(self._mine, same))
            rows = [
                {
                    "stream": self._stream,
                    "id": one.id,
                    "number": at,
                    "data": msgspec.msgpack.encode(one),
                }
                for at, one in enumerate(newest.values(), number + 1)
            ]
            if rows:
                connection.execute(insert(precomputed), rows)
            return self._forget(connection, keep)

    def find(self, key: str) -> StoredScore | None:
        """Return the prediction of an id, or None."""
        query = select(precomputed.c.number, precomputed.c.data)
        with reading(self._engine) as connection:
            row = connection.execute(query.where(self._mine, precomputed.c.id == key)).one_or_none()
        return None if row is None else _stored(row)

    def page(self, limit: int, before: int | None = None) -> list[StoredScore]:
        """Return predictions, the newest first.

        Parameters
        ----------
        limit
            How many at most.
        before
            Only those with a smaller number.
        """
        query = select(precomputed.c.number, precomputed.c.data).where(self._mine)
        if before is not None:
            query = query.where(precomputed.c.number < before)
        query = query.order_by(precomputed.c.number.desc()).limit(limit)
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
        return [_stored(row) for row in rows]

    def count(self) -> int:
        """Return how many there are."""
        query = select(func.count()).select_from(precomputed).where(self._mine)
        with reading(self._engine) as connection:
            return int(connection.execute(query).scalar_one())

    def _forget(self, connection: Connection, keep: int) -> int:
        oldest = select(precomputed.c.number).where(self._mine)
        oldest = oldest.order_by(precomputed.c.number.desc()).offset(keep).limit(1)
        number = connection.execute(oldest).scalar_one_or_none()
        if number is None:
            return 0
        gone = delete(precomputed).where(self._mine, precomputed.c.number <= number)
        return connection.execute(gone).rowcount


def _stored(row: Any) -> StoredScore:
    try:
        return StoredScore(row.number, _decode(row.data))
    except msgspec.MsgspecError as error:
        raise CheckpointDamagedError(
            f"the result number {row.number} of 'riverrun score' is damaged: {error}"
        ) from None
