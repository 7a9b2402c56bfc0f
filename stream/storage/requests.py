"""What people ask of the worker: left in the store, and answered there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, and_, delete, insert, select, update

from stream.errors import CheckpointDamagedError
from stream.storage.audit import Actor, write_action
from stream.storage.database import reading, writing
from stream.storage.seal import is_sealed, seal
from stream.storage.tables import imports, requests


class StoredRequest(msgspec.Struct, frozen=True):
    """Something a person asked of the worker."""

    id: int
    kind: str
    detail: dict[str, Any]
    by: str
    at: float


class Requests:
    """The requests of one stream, and the models that came with them.

    Parameters
    ----------
    engine
        The store's.
    stream
        Whose they are.
    secret
        Signs and verifies models; None for digests only.
    """

    def __init__(self, engine: Engine, stream: str, secret: bytes | None) -> None:
        self._engine = engine
        self._stream = stream
        self._secret = secret

    def ask(
        self,
        kind: str,
        detail: Mapping[str, Any],
        by: str | Actor,
        now: float,
        model: tuple[bytes, bytes | None] | None = None,
    ) -> int:
        """Ask something of the worker, and write that down; return the request's id.

        Parameters
        ----------
        kind, detail
            What.
        by, now
            Who, and when.
        model
            A model to take in, and its reference.
        """
        actor = Actor(by) if isinstance(by, str) else by
        row: dict[str, Any] = {"stream": self._stream, "kind": kind, "detail": dict(detail)}
        row |= {"by": actor.name, "at": now}
        rest = {name: value for name, value in detail.items() if name != "reason"}
        reason = str(detail.get("reason", ""))
        with writing(self._engine) as connection:
            made = connection.execute(insert(requests).values(**row)).inserted_primary_key
            key = int(made[0]) if made else 0
            write_action(connection, self._stream, kind, actor, reason, rest, now, key)
            if model is not None:
                data, reference = model
                values = {"stream": self._stream, "request": key, "at": now, "data": data}
                sealed = seal(data + (reference or b""), self._import_place(key), self._secret)
                connection.execute(
                    insert(imports).values(**values, reference=reference, seal=sealed)
                )
        return key

    def brought(self, key: int) -> tuple[bytes, bytes | None] | None:
        """Return a model that was left for the worker, and its reference; None for none.

        Raises
        ------
        CheckpointDamagedError
        """
        mine = and_(imports.c.stream == self._stream, imports.c.request == key)
        with reading(self._engine) as connection:
            row = connection.execute(select(imports).where(mine)).one_or_none()
        if row is None:
            return None
        data = bytes(row.data)
        reference = None if row.reference is None else bytes(row.reference)
        place = self._import_place(key)
        if not is_sealed(data + (reference or b""), place, self._secret, row.seal):
            raise CheckpointDamagedError(
                f"{place} is damaged, or was not signed with RIVERRUN_SECRET"
            )
        return data, reference

    def asked(self) -> list[StoredRequest]:
        """Return the requests that the worker has not answered, oldest first."""
        columns = [requests.c[name] for name in StoredRequest.__struct_fields__]
        mine = and_(requests.c.stream == self._stream, requests.c.handled_at.is_(None))
        with reading(self._engine) as connection:
            rows = connection.execute(select(*columns).where(mine).order_by(requests.c.id))
            return [StoredRequest(**row._asdict()) for row in rows]

    def answer(self, key: int) -> str | None:
        """Return what became of a request; None where it is not answered yet."""
        found = self.request(key)
        return None if found is None else found["outcome"]

    def request(self, key: int) -> dict[str, Any] | None:
        """Return a request and its answer; None where there is no such request."""
        mine = and_(requests.c.stream == self._stream, requests.c.id == key)
        with reading(self._engine) as connection:
            row = connection.execute(select(requests).where(mine)).mappings().one_or_none()
        return None if row is None else dict(row)

    def answered(self, connection: Connection, answers: Mapping[int, str], now: float) -> None:
        """Write answers, with the checkpoint in which they came true."""
        for key, outcome in answers.items():
            done = update(requests).where(requests.c.id == key)
            connection.execute(done.values(handled_at=now, outcome=outcome))
            self._forget_brought(connection, key)

    def _forget_brought(self, connection: Connection, key: int) -> None:
        mine = and_(imports.c.stream == self._stream, imports.c.request == key)
        connection.execute(delete(imports).where(mine))

    def _import_place(self, key: int) -> str:
        return f"{self._stream}/import/{key}"

    def _verified(self, row: Any, place: str) -> bytes:
        data = bytes(row.data)
        if not is_sealed(data, place, self._secret, row.seal):
            raise CheckpointDamagedError(
                f"{place} is damaged, or was not signed with RIVERRUN_SECRET"
            )
        return data
