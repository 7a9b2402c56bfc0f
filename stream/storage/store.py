"""The store: checkpoints in one transaction each, fenced by epochs, verified when read.

The offsets of the newest whole checkpoint are the truth about what was learned. Nothing here
knows what the blobs mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, Engine, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from stream.checkpoint import Chunks, Snapshot
from stream.errors import FencedError
from stream.storage.audit import Audit
from stream.storage.blobs import Blobs
from stream.storage.database import open_database, reading, shown, writing
from stream.storage.disagreements import Disagreements
from stream.storage.happenings import read_happenings, write_happening
from stream.storage.health import database_time, size_bytes
from stream.storage.history import History
from stream.storage.key_models import KeyModelStore
from stream.storage.leases import Leases
from stream.storage.outbox import Outbox
from stream.storage.precomputed import Precomputed
from stream.storage.recent import RecentStore
from stream.storage.runs import Runs
from stream.storage.served_versions import read_versions, write_version
from stream.storage.sharding import Sharding
from stream.storage.shared import Adoptions, SharedStore
from stream.storage.shared_secret import shared_secret
from stream.storage.stored import Claim, Identity, StoredCheckpoint, stored_checkpoint
from stream.storage.tables import SHARD, belongs_to, checkpoints, shards

__all__ = ["SHARD", "Claim", "Identity", "Store", "StoredCheckpoint"]


class Store:
    """The checkpoints, versions and happenings of one stream.

    Parameters
    ----------
    url
        Of the database, or what is connected to it already.
    stream, shard
        Whose they are.
    secret
        Signs and verifies the blobs; None for digests only.

    Attributes
    ----------
    history
        The monitor's panes and references.
    recent, precomputed
        The newest predictions and anomalies, and predictions made ahead of time.
    runs
        Retraining runs, kept models, and what people ask for.
    outbox
        Whom to tell of what happens, and what they are still to be told.
    audit, disagreements
        What people did to the stream, and labels that contradict each other.
    sharding, leases
        All shards of the stream, and who works on them where no broker says it.
    shared, adoptions
        What all shards take in, and when this one did.
    key_models
        Models of keys, where there are any.
    """

    def __init__(
        self, url: str | Engine, stream: str, *, shard: str = SHARD, secret: bytes | None = None
    ) -> None:
        self._engine = open_database(url) if isinstance(url, str) else url
        self._secret = secret
        self._stream = stream
        self._shard = shard
        self._blobs = Blobs(stream, shard, secret)
        self.runs = Runs(self._engine, stream, secret)
        self.history = History(self._engine, stream, shard, secret)
        self.outbox = Outbox(self._engine, stream, shard)
        self.audit = Audit(self._engine, stream)
        self.disagreements = Disagreements(self._engine, stream, shard)
        self.recent = RecentStore(self._engine, stream, shard)
        self.precomputed = Precomputed(self._engine, stream)
        self.sharding = Sharding(self._engine, stream)
        self.leases = Leases(self._engine, stream)
        self.shared = SharedStore(self._engine, stream, secret)
        self.adoptions = Adoptions(self._engine, stream, shard)
        self.key_models = KeyModelStore(self._engine, stream, shard, secret)
        self.url = shown(self._engine)

    def close(self) -> None:
        """Let go of the connections."""
        self._engine.dispose()

    def of_shard(self, shard: str) -> Store:
        """Return the store of another shard, over the same connections; it need not be closed."""
        return Store(self._engine, self._stream, shard=shard, secret=self._secret)

    def size_bytes(self) -> int:
        """Return the bytes that the database takes on its disk."""
        return size_bytes(self._engine)

    def ping(self) -> None:
        """Ask the database for nothing; raises ``StoreUnreachableError`` where it is away."""
        with reading(self._engine) as connection:
            connection.execute(select(1))

    def database_time(self) -> float | None:
        """Return the database server's clock, in seconds since the epoch; None without a server."""
        return database_time(self._engine)

    def shared_secret(self) -> bytes:
        """Return a secret of 256 bits that all processes on this store share.

        Raises
        ------
        StoreUnreachableError
        """
        return shared_secret(self._engine)

    def claim(self, owner: str, now: float) -> Claim:
        """Take a new epoch: from now on, an older holder cannot commit."""
        with writing(self._engine) as connection:
            # Others may claim at the same moment: whoever is first holds the row until it is done.
            query = select(shards.c.epoch, shards.c.last_number).where(self._mine(shards))
            row = connection.execute(query.with_for_update()).one_or_none()
            if row is None:
                first = {"epoch": 0, "last_number": 0, "owner": owner, "acquired_at": now}
                with suppress(IntegrityError), connection.begin_nested():
                    connection.execute(insert(shards).values(**self._key(), **first))
                row = connection.execute(query.with_for_update()).one()
            epoch, last = row.epoch + 1, row.last_number
            values = {"epoch": epoch, "owner": owner, "acquired_at": now}
            connection.execute(update(shards).where(self._mine(shards)).values(**values))
        return Claim(epoch, last)

    def check_epoch(self, claim: Claim) -> None:
        """Raise ``FencedError`` where a newer claim exists."""
        with reading(self._engine) as connection:
            self._check(connection, claim)

    def commit(
        self,
        claim: Claim,
        number: int,
        snapshot: Snapshot,
        *,
        status: Mapping[str, Any],
        identity: Identity,
        reason: str,
        now: float,
        keep: int,
        replace: bool,
        panes_kept: int = 10_000,
        happened: Sequence[tuple[str, Mapping[str, Any]]] = (),
        answers: Mapping[int, str] | None = None,
    ) -> None:
        """Write a checkpoint, all of it or nothing.

        Parameters
        ----------
        claim
            The writer's.
        number
            The checkpoint's, higher than any before.
        snapshot, status, identity
            What it holds.
        reason
            Why its version exists, for the first checkpoint of a version.
        now
            Seconds since the epoch.
        keep
            How many checkpoints stay.
        replace
            Whether everything stored before is replaced: for a state that does not continue it.
        panes_kept
            How many closed panes stay.
        happened
            Kind and detail of what a person should find afterwards.
        answers
            By id, what became of requests.

        Raises
        ------
        FencedError
            When another writer claimed the shard; nothing was written.
        StoreUnreachableError
        """
        with writing(self._engine) as connection:
            self._check(connection, claim)
            if replace:
                self._forget_after(connection, 0)
                self.history.begin_anew(connection)
                self.disagreements.begin_anew(connection)
                self.adoptions.begin_anew(connection)
            connection.execute(
                insert(checkpoints).values(
                    **self._key(number),
                    epoch=claim.epoch,
                    created_at=now,
                    offsets=snapshot.offsets,
                    version=snapshot.version,
                    status=dict(status),
                    fingerprint=identity.fingerprint,
                    format=identity.format,
                    libraries=identity.libraries,
                )
            )
            self._blobs.write(connection, number, snapshot)
            if snapshot.keys is not None:
                self.key_models.write(connection, number, snapshot.keys)
            if snapshot.panes:
                self.history.write(connection, number, snapshot.panes)
                self.history.forget(connection, panes_kept)
            if snapshot.reference is not None:
                self.history.write_reference(
                    connection, number, snapshot.version, snapshot.reference, now
                )
            self.runs.write(connection, number, snapshot.run_changes, snapshot.models, now)
            for model in snapshot.models:
                if model.reference is not None:
                    self.history.write_reference(
                        connection, number, model.version, model.reference, now
                    )
            self.runs.answered(connection, answers or {}, now)
            self.disagreements.write(connection, number, snapshot.conflicts)
            self.adoptions.write(connection, number, snapshot.adoptions)
            if snapshot.recent is not None:
                self.recent.write(connection, number, snapshot.recent, now)
            for kind, detail in happened:
                write_happening(connection, self._stream, kind, self._told(detail), now)
            write_version(connection, self._stream, snapshot.version, reason, identity, now)
            connection.execute(update(shards).where(self._mine(shards)).values(last_number=number))
            self._forget(connection, keep)

    def checkpoints(self, limit: int | None = None) -> list[StoredCheckpoint]:
        """Return the kept checkpoints, newest first, without their blobs."""
        query = (
            select(checkpoints)
            .where(self._mine(checkpoints))
            .order_by(checkpoints.c.number.desc())
            .limit(limit)
        )
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
        return [stored_checkpoint(row) for row in rows]

    def newest(self) -> StoredCheckpoint | None:
        """Return the newest checkpoint without its blobs, or None."""
        return next(iter(self.checkpoints(limit=1)), None)

    def load(self, stored: StoredCheckpoint) -> tuple[Snapshot, Chunks]:
        """Read and verify a checkpoint's blobs.

        Raises
        ------
        CheckpointDamagedError
            When one of them does not match its seal, or is missing.
        """
        with reading(self._engine) as connection:
            read = self._blobs.read(connection, stored.number, stored.offsets, stored.version)
            return self.key_models.complete(connection, stored.number, *read)

    def load_part(self, stored: StoredCheckpoint, part: str) -> bytes | None:
        """Read and verify one blob of a checkpoint; None where it is already replaced.

        Raises
        ------
        CheckpointDamagedError
        """
        with reading(self._engine) as connection:
            return self._blobs.read_part(connection, stored.number, part)

    def go_back_to(self, claim: Claim, number: int) -> None:
        """Forget the checkpoints after one, and what they dropped or added; 0 forgets all."""
        with writing(self._engine) as connection:
            self._check(connection, claim)
            self._forget_after(connection, number)
            self.history.go_back_to(connection, number)
            self.runs.go_back_to(connection, number)
            self.disagreements.go_back_to(connection, number)
            self.adoptions.go_back_to(connection, number)
            self.recent.go_back_to(connection, number)

    def record(self, kind: str, detail: Mapping[str, Any], now: float) -> None:
        """Write down something that a person should find afterwards."""
        with writing(self._engine) as connection:
            write_happening(connection, self._stream, kind, self._told(detail), now)

    def happenings(self, limit: int = 100) -> list[dict[str, Any]]:
        """Return what was written down, newest first."""
        return read_happenings(self._engine, self._stream, limit)

    def versions(self) -> list[dict[str, Any]]:
        """Return the model versions, oldest first."""
        return read_versions(self._engine, self._stream)

    def _key(self, number: int | None = None) -> dict[str, Any]:
        key: dict[str, Any] = {"stream": self._stream, "shard": self._shard}
        return key if number is None else key | {"number": number}

    def _told(self, detail: Mapping[str, Any]) -> Mapping[str, Any]:
        return detail if self._shard == SHARD else {**detail, "shard": self._shard}

    def _mine(self, table: Any) -> Any:
        return belongs_to(table, self._stream, self._shard)

    def _check(self, connection: Connection, claim: Claim) -> None:
        query = select(shards.c.epoch).where(self._mine(shards)).with_for_update()
        current = connection.execute(query).scalar_one()
        if current != claim.epoch:
            raise FencedError(f"{self._stream}/{self._shard}", claim.epoch, current)

    def _forget_after(self, connection: Connection, number: int) -> None:
        connection.execute(
            delete(checkpoints).where(self._mine(checkpoints), checkpoints.c.number > number)
        )
        self._blobs.go_back_to(connection, number)
        self.key_models.go_back_to(connection, number)

    def _forget(self, connection: Connection, keep: int) -> None:
        kept = connection.execute(
            select(checkpoints.c.number)
            .where(self._mine(checkpoints))
            .order_by(checkpoints.c.number.desc())
            .limit(keep)
        ).scalars()
        oldest = min(kept)
        connection.execute(
            delete(checkpoints).where(self._mine(checkpoints), checkpoints.c.number < oldest)
        )
        self._blobs.forget(connection, oldest)
        self.key_models.forget(connection, oldest)
