"""Models of keys in the store: one row for each change, as long as a kept checkpoint needs it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, and_, delete, func, insert, or_, select, tuple_, update

from stream.checkpoint import KEYS_PART, Chunks, Snapshot
from stream.errors import CheckpointDamagedError
from stream.keys.rows import KeyRow, KeySum, KeyWrite, sum_of
from stream.storage.connect import reading
from stream.storage.seal import is_sealed, seal
from stream.storage.tables import belongs_to, key_models

_AT_ONCE = 400
"""Keys that one statement names: SQLite of old takes 999 parameters."""


class KeyModelStore:
    """The rows of one shard.

    A row belongs to the checkpoints from its ``number`` on, up to the one before ``dropped_at``.

    Parameters
    ----------
    engine
        Of the store.
    stream, shard
        Whose they are.
    secret
        Signs and verifies them; None for digests only.
    """

    def __init__(self, engine: Engine, stream: str, shard: str, secret: bytes | None) -> None:
        self._engine = engine
        self._stream = stream
        self._shard = shard
        self._secret = secret

    def write(self, connection: Connection, number: int, change: KeyWrite) -> None:
        """Write what a checkpoint changes."""
        current = and_(self._mine(), key_models.c.dropped_at.is_(None))
        for keys in _batches([*change.gone, *(row.key for row in change.rows)]):
            connection.execute(
                update(key_models)
                .where(current, key_models.c.key.in_(keys))
                .values(dropped_at=number)
            )
        if change.rows:
            connection.execute(insert(key_models), [self._row(number, r) for r in change.rows])

    def complete(
        self, connection: Connection, number: int, snapshot: Snapshot, chunks: Chunks
    ) -> tuple[Snapshot, Chunks]:
        """Return a checkpoint that was read, with the rows of all keys.

        Raises
        ------
        CheckpointDamagedError
            When rows are missing or exchanged.
        """
        part = snapshot.parts.get(KEYS_PART)
        if part is None:
            return snapshot, chunks
        c = key_models.c
        query = select(c.key, c.number, c.learned, c.turn, c.mark).where(self._belongs_to(number))
        rows = [KeyRow(*row) for row in connection.execute(query.order_by(c.turn))]
        if sum_of(rows) != msgspec.json.decode(part, type=KeySum):
            raise CheckpointDamagedError(
                f"checkpoint {number} of {self._stream} is damaged: models of keys are missing or "
                "exchanged"
            )
        return msgspec.structs.replace(snapshot, key_rows=rows), chunks

    def load(self, wanted: Mapping[str, int]) -> Mapping[str, bytes]:
        """Return the pickled models of keys, by key and number of their rows, verified.

        Raises
        ------
        CheckpointDamagedError
            When one of them is missing, or does not match its seal.
        StoreUnreachableError
        """
        found: dict[str, bytes] = {}
        place = tuple_(key_models.c.key, key_models.c.number)
        with reading(self._engine) as connection:
            for pairs in _batches(wanted.items()):
                query = select(key_models).where(self._mine(), place.in_(pairs))
                found |= {row.key: self._verified(row) for row in connection.execute(query)}
        if len(found) < len(wanted):
            missing = next(key for key in wanted if key not in found)
            raise CheckpointDamagedError(
                f"the store lacks the model of the key {missing!r} of {self._stream}. Start with "
                "--rebuild to learn everything anew from the log"
            )
        return found

    def newest(self, keys: Iterable[str], known: Mapping[str, int]) -> dict[str, KeyRow | None]:
        """Return the newest rows of keys, for serving; None for a key that has no model.

        Parameters
        ----------
        keys
            Whose.
        known
            By key, the number of a row that the caller has already: it comes without its model.

        Raises
        ------
        CheckpointDamagedError, StoreUnreachableError
        """
        found: dict[str, KeyRow | None] = dict.fromkeys(keys)
        current = and_(self._mine(), key_models.c.dropped_at.is_(None))
        c = key_models.c
        wanted = []
        with reading(self._engine) as connection:
            for some in _batches(found):
                query = select(c.key, c.number, c.learned, c.turn, c.mark).where(current)
                for row in connection.execute(query.where(c.key.in_(some))):
                    found[row.key] = KeyRow(*row)
                    if known.get(row.key) != row.number:
                        wanted.append(row.key)
            for some in _batches(wanted):
                query = select(key_models).where(current, c.key.in_(some))
                for row in connection.execute(query):
                    place = row.key, row.number, row.learned, row.turn, row.mark
                    found[row.key] = KeyRow(*place, self._verified(row))
        return found

    def verify(self) -> Iterator[str]:
        """Yield what is wrong with rows, sentence by sentence, as they are read one by one."""
        with reading(self._engine) as connection:
            query = select(key_models).where(self._mine())
            with connection.execute(query, execution_options={"yield_per": 50}) as result:
                for row in result:
                    try:
                        self._verified(row)
                    except CheckpointDamagedError as error:
                        yield str(error)

    def count(self) -> int:
        """Return how many rows there are, with those that only older checkpoints need."""
        with reading(self._engine) as connection:
            query = select(func.count()).select_from(key_models).where(self._mine())
            return int(connection.execute(query).scalar_one())

    def forget(self, connection: Connection, oldest: int) -> None:
        """Delete what only checkpoints before ``oldest`` needed."""
        connection.execute(
            delete(key_models).where(self._mine(), key_models.c.dropped_at <= oldest)
        )

    def go_back_to(self, connection: Connection, number: int) -> None:
        """Delete what came after a checkpoint, and take back what was dropped after it."""
        connection.execute(delete(key_models).where(self._mine(), key_models.c.number > number))
        connection.execute(
            update(key_models)
            .where(self._mine(), key_models.c.dropped_at > number)
            .values(dropped_at=None)
        )

    def _mine(self) -> Any:
        return belongs_to(key_models, self._stream, self._shard)

    def _belongs_to(self, number: int) -> Any:
        dropped = key_models.c.dropped_at
        return and_(
            self._mine(),
            key_models.c.number <= number,
            or_(dropped.is_(None), dropped > number),
        )

    def _row(self, number: int, row: KeyRow) -> dict[str, Any]:
        data = row.data or b""
        return {
            "stream": self._stream,
            "shard": self._shard,
            "key": row.key,
            "number": number,
            "learned": row.learned,
            "turn": row.turn,
            "mark": row.mark,
            "data": data,
            "seal": seal(data, self._place(number, row), self._secret),
        }

    def _place(self, number: int, row: Any) -> str:
        of = f"{number}/{row.learned}/{row.turn}/{row.mark}/{row.key}"
        return f"{self._stream}/{self._shard}/key/{of}"

    def _verified(self, row: Any) -> bytes:
        data = bytes(row.data)
        if not is_sealed(data, self._place(row.number, row), self._secret, row.seal):
            signed = "" if self._secret is None else ", or was not signed with RIVERRUN_SECRET"
            raise CheckpointDamagedError(
                f"the model of the key {row.key!r} of {self._stream} is damaged{signed}. Start "
                "with --rebuild to learn everything anew from the log"
            )
        return data


def _batches(items: Iterable[Any]) -> Iterator[Sequence[Any]]:
    left = iter(items)
    while some := list(islice(left, _AT_ONCE)):
        yield some
