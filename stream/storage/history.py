"""The monitor's history: closed panes, and the references they are compared with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Engine, RowMapping, and_, delete, func, insert, or_, select

from stream.errors import CheckpointDamagedError
from stream.storage.database import reading
from stream.storage.seal import is_sealed, seal
from stream.storage.tables import SHARD, belongs_to, panes, references
from stream.watching.pane_row import PaneRow

_PAGE = 64
_BLOBS = ("data", "scores")


class PaneKey(NamedTuple):
    """Where a pane stands in the history, for paging."""

    number: int
    pane: int


class StoredPane(msgspec.Struct, frozen=True):
    """A pane of the history.

    Parameters
    ----------
    key
        Where it stands.
    row
        The pane.
    damaged
        Names of its blobs that do not fit their seals.
    """

    key: PaneKey
    row: PaneRow
    damaged: tuple[str, ...] = ()


class History:
    """The history of one shard. It is written inside the transaction of a checkpoint.

    Parameters
    ----------
    engine
        The store's.
    stream, shard
        Whose it is.
    secret
        Signs and verifies references and panes; None for digests only.
    """

    def __init__(self, engine: Engine, stream: str, shard: str, secret: bytes | None) -> None:
        self._engine = engine
        self._stream = stream
        self._shard = shard
        self._secret = secret

    def write(self, connection: Connection, number: int, rows: Sequence[PaneRow]) -> None:
        """Add the panes that came with a checkpoint."""
        if not rows:
            return
        mine = {"stream": self._stream, "shard": self._shard, "number": number}
        values = [
            mine
            | {
                "pane": row.index,
                "version": row.version,
                "layout": row.layout,
                "first": row.first,
                "last": row.last,
                "events": row.events,
                "errors": row.errors,
                "offsets": row.offsets,
                "summary": msgspec.to_builtins(row.summary),
                "data": row.data,
                "scores": row.scores,
                "data_seal": self._pane_seal(number, row, "data"),
                "scores_seal": self._pane_seal(number, row, "scores"),
            }
            for row in rows
        ]
        connection.execute(insert(panes), values)

    def write_reference(
        self, connection: Connection, number: int, version: str, data: bytes, now: float
    ) -> None:
        """Write what a version's events are compared with; there is one a version."""
        connection.execute(delete(references).where(self._reference_of(version)))
        connection.execute(
            insert(references).values(
                stream=self._stream,
                shard=self._shard,
                version=version,
                number=number,
                created_at=now,
                seal=seal(data, self._place(version), self._secret),
                data=data,
            )
        )

    def panes(
        self,
        start: float | None = None,
        end: float | None = None,
        *,
        limit: int | None = None,
        before: PaneKey | None = None,
        data: bool = True,
        scores: bool = True,
    ) -> list[StoredPane]:
        """Return closed panes, newest first.

        Parameters
        ----------
        start, end
            Event time in seconds since the epoch: panes that overlap [start, end).
        limit
            How many at most.
        before
            Only those older than this one: the last of the page before.
        data, scores
            Whether to read these; empty where not. They are nearly all of a row's bytes.
        """
        left_out = {name for name, read in (("data", data), ("scores", scores)) if not read}
        wanted = [column for column in panes.c if column.name not in left_out]
        query = select(*wanted).where(self._mine())
        if start is not None:
            query = query.where(panes.c.last >= start)
        if end is not None:
            query = query.where(panes.c.first < end)
        if before is not None:
            query = query.where(_older(before))
        query = query.order_by(panes.c.number.desc(), panes.c.pane.desc()).limit(limit)
        with reading(self._engine) as connection:
            return [self._stored(row) for row in connection.execute(query).mappings()]

    def since(self, number: int, limit: int) -> list[StoredPane]:
        """Return panes that came with the checkpoints after one, oldest first, without counts."""
        wanted = [column for column in panes.c if column.name not in ("data", "scores")]
        query = select(*wanted).where(self._mine(), panes.c.number > number)
        query = query.order_by(panes.c.number, panes.c.pane).limit(limit)
        with reading(self._engine) as connection:
            return [self._stored(row) for row in connection.execute(query).mappings()]

    def after(self, pane: int, limit: int) -> list[StoredPane]:
        """Return panes behind one of a number, in order of their numbers, with all counts."""
        query = select(panes).where(self._mine(), panes.c.pane > pane)
        query = query.order_by(panes.c.pane).limit(limit)
        with reading(self._engine) as connection:
            return [self._stored(row) for row in connection.execute(query).mappings()]

    def oldest(self) -> PaneKey | None:
        """Return where the oldest stored pane stands; None for none."""
        query = select(panes.c.number, panes.c.pane).where(self._mine())
        query = query.order_by(panes.c.number, panes.c.pane).limit(1)
        with reading(self._engine) as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else PaneKey(row.number, row.pane)

    def each(
        self,
        start: float | None = None,
        end: float | None = None,
        *,
        last: int | None = None,
        data: bool = True,
        scores: bool = True,
    ) -> Iterator[StoredPane]:
        """Yield closed panes, newest first, reading a few at a time.

        Parameters
        ----------
        start, end, data, scores
            As for ``panes``.
        last
            Only the newest so many.
        """
        before, left = None, last
        while left is None or left > 0:
            size = _PAGE if left is None else min(_PAGE, left)
            page = self.panes(start, end, limit=size, before=before, data=data, scores=scores)
            yield from page
            if len(page) < size:
                return
            before = page[-1].key
            left = None if left is None else left - size

    def reference(self, version: str) -> bytes | None:
        """Return what a version's events are compared with, or None.

        It is as ``stream.watching.state.write_reference`` wrote it.

        Raises
        ------
        CheckpointDamagedError
        """
        query = select(references).where(self._reference_of(version))
        with reading(self._engine) as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        data = bytes(row.data)
        if not is_sealed(data, self._place(version), self._secret, row.seal):
            raise CheckpointDamagedError(
                f"the reference of {version} of {self._stream} is damaged, or was not signed with "
                "RIVERRUN_SECRET"
            )
        return data

    def versions(self) -> list[str]:
        """Return the versions that have a reference, oldest first."""
        query = (
            select(references.c.version)
            .where(belongs_to(references, self._stream, self._shard))
            .order_by(references.c.created_at)
        )
        with reading(self._engine) as connection:
            return list(connection.execute(query).scalars())

    def extent(self) -> tuple[float, float] | None:
        """Return the smallest and the largest event time of the stored panes, in seconds."""
        query = select(func.min(panes.c.first), func.max(panes.c.last)).where(self._mine())
        with reading(self._engine) as connection:
            first, last = connection.execute(query).one()
        return None if first is None else (float(first), float(last))

    def forget(self, connection: Connection, keep: int) -> None:
        """Delete all but the newest panes."""
        oldest_kept = (
            select(panes.c.number, panes.c.pane)
            .where(self._mine())
            .order_by(panes.c.number.desc(), panes.c.pane.desc())
            .offset(keep - 1)
            .limit(1)
        )
        row = connection.execute(oldest_kept).one_or_none()
        if row is not None:
            older = _older(PaneKey(row.number, row.pane))
            connection.execute(delete(panes).where(self._mine(), older))

    def begin_anew(self, connection: Connection) -> None:
        """Delete the panes: a rebuild makes them again. References stay, by version."""
        connection.execute(delete(panes).where(self._mine()))

    def go_back_to(self, connection: Connection, number: int) -> None:
        """Delete what came after a checkpoint."""
        connection.execute(delete(panes).where(self._mine(), panes.c.number > number))
        mine = belongs_to(references, self._stream, self._shard)
        connection.execute(delete(references).where(mine, references.c.number > number))

    def _mine(self) -> Any:
        return belongs_to(panes, self._stream, self._shard)

    def _reference_of(self, version: str) -> Any:
        mine = belongs_to(references, self._stream, self._shard)
        return and_(mine, references.c.version == version)

    def _place(self, version: str) -> str:
        # References were sealed before there were shards: those of an undivided stream stay as is.
        whose = self._stream if self._shard == SHARD else f"{self._stream}/{self._shard}"
        return f"{whose}/reference/{version}"

    def _pane_place(self, key: PaneKey, blob: str) -> str:
        return f"{self._stream}/{self._shard}/pane/{key.number}/{key.pane}/{blob}"

    def _pane_seal(self, number: int, row: PaneRow, blob: str) -> str:
        place = self._pane_place(PaneKey(number, row.index), blob)
        return seal(getattr(row, blob), place, self._secret)

    def _stored(self, row: RowMapping) -> StoredPane:
        key = PaneKey(row["number"], row["pane"])
        damaged = []
        for blob in _BLOBS:
            found = row.get(f"{blob}_seal")
            if blob not in row or found is None:  # not asked for, or from before version 4
                continue
            if not is_sealed(bytes(row[blob]), self._pane_place(key, blob), self._secret, found):
                damaged.append(blob)
        fields = {name: row[name] for name in PaneRow.__struct_fields__ if name in row}
        fields |= {"index": key.pane}
        fields |= {name: bytes(row.get(name, b"")) for name in _BLOBS}
        return StoredPane(key, msgspec.convert(fields, PaneRow, strict=False), tuple(damaged))


def _older(key: PaneKey) -> Any:
    same = and_(panes.c.number == key.number, panes.c.pane < key.pane)
    return or_(panes.c.number < key.number, same)
