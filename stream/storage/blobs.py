"""The sealed blobs of checkpoints: whole parts, chunks of changes, and a manifest of both."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Connection, and_, delete, insert, or_, select, update

from stream.checkpoint import Chunks, Snapshot
from stream.errors import CheckpointDamagedError
from stream.storage.seal import is_sealed, seal
from stream.storage.tables import belongs_to, chunks, parts

_MANIFEST = "manifest"


class Manifest(msgspec.Struct, frozen=True):
    """What belongs to a checkpoint, sealed, so that a missing or exchanged row is noticed."""

    offsets: dict[str, int]
    version: str
    parts: list[str]
    chunks: list[tuple[str, int]]


class Blobs:
    """Writes and verifies the blobs of one shard, inside the caller's transaction.

    Parameters
    ----------
    stream, shard
        Whose they are.
    secret
        Signs and verifies them; None for digests only.
    """

    def __init__(self, stream: str, shard: str, secret: bytes | None) -> None:
        self._stream = stream
        self._shard = shard
        self._secret = secret

    def write(self, connection: Connection, number: int, snapshot: Snapshot) -> None:
        """Write the blobs of a checkpoint."""
        for kind, change in snapshot.chunks.items():
            connection.execute(
                update(chunks)
                .where(
                    self._mine(chunks),
                    chunks.c.kind == kind,
                    chunks.c.number < change.first,
                    chunks.c.dropped_at.is_(None),
                )
                .values(dropped_at=number)
            )
            if change.data is not None:
                row = self._row(number, kind, change.data)
                connection.execute(insert(chunks).values(**row, kind=kind))
        manifest = Manifest(
            snapshot.offsets,
            snapshot.version,
            sorted(snapshot.parts),
            self._chunks_at(connection, number),
        )
        blobs = snapshot.parts | {_MANIFEST: msgspec.json.encode(manifest)}
        rows = [self._row(number, name, data) | {"part": name} for name, data in blobs.items()]
        connection.execute(insert(parts), rows)

    def read(
        self, connection: Connection, number: int, offsets: dict[str, int], version: str
    ) -> tuple[Snapshot, Chunks]:
        """Read and verify the blobs of a checkpoint whose row says ``offsets`` and ``version``.

        Raises
        ------
        CheckpointDamagedError
        """
        query = select(parts).where(self._mine(parts), parts.c.number == number)
        found = {
            row.part: self._verified(row.part, number, row) for row in connection.execute(query)
        }
        pieces = connection.execute(
            select(chunks).where(self._belongs_to(number)).order_by(chunks.c.number)
        ).all()
        manifest = msgspec.json.decode(found.pop(_MANIFEST, b"null"), type=Manifest | None)
        there = Manifest(
            offsets, version, sorted(found), sorted((row.kind, row.number) for row in pieces)
        )
        if manifest != there:
            raise CheckpointDamagedError(
                f"checkpoint {number} of {self._stream} is damaged: rows are missing or exchanged"
            )
        read: dict[str, list[tuple[int, bytes]]] = {}
        for row in pieces:
            data = self._verified(row.kind, row.number, row)
            read.setdefault(row.kind, []).append((row.number, data))
        return Snapshot(offsets, version, found, {}), read

    def read_part(self, connection: Connection, number: int, part: str) -> bytes | None:
        """Read and verify one part of a checkpoint; None where there is none.

        Raises
        ------
        CheckpointDamagedError
        """
        query = select(parts).where(
            self._mine(parts), parts.c.number == number, parts.c.part == part
        )
        row = connection.execute(query).one_or_none()
        return None if row is None else self._verified(part, number, row)

    def forget(self, connection: Connection, oldest: int) -> None:
        """Delete what only checkpoints before ``oldest`` needed."""
        connection.execute(delete(parts).where(self._mine(parts), parts.c.number < oldest))
        connection.execute(delete(chunks).where(self._mine(chunks), chunks.c.dropped_at <= oldest))

    def go_back_to(self, connection: Connection, number: int) -> None:
        """Delete what came after a checkpoint, and take back what was dropped after it."""
        for table in (parts, chunks):
            connection.execute(delete(table).where(self._mine(table), table.c.number > number))
        connection.execute(
            update(chunks)
            .where(self._mine(chunks), chunks.c.dropped_at > number)
            .values(dropped_at=None)
        )

    def _mine(self, table: Any) -> Any:
        return belongs_to(table, self._stream, self._shard)

    def _belongs_to(self, number: int) -> Any:
        return and_(
            self._mine(chunks),
            chunks.c.number <= number,
            or_(chunks.c.dropped_at.is_(None), chunks.c.dropped_at > number),
        )

    def _chunks_at(self, connection: Connection, number: int) -> list[tuple[str, int]]:
        query = select(chunks.c.kind, chunks.c.number).where(self._belongs_to(number))
        return sorted((row.kind, row.number) for row in connection.execute(query))

    def _row(self, number: int, name: str, data: bytes) -> dict[str, Any]:
        return {
            "stream": self._stream,
            "shard": self._shard,
            "number": number,
            "data": data,
            "seal": seal(data, self._place(name, number), self._secret),
        }

    def _place(self, name: str, number: int) -> str:
        return f"{self._stream}/{self._shard}/{name}/{number}"

    def _verified(self, name: str, number: int, row: Any) -> bytes:
        data = bytes(row.data)
        if not is_sealed(data, self._place(name, number), self._secret, row.seal):
            signed = "" if self._secret is None else ", or was not signed with RIVERRUN_SECRET"
            raise CheckpointDamagedError(
                f"checkpoint {number} of {self._stream}: its part {name!r} is damaged{signed}"
            )
        return data
