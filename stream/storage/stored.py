"""What the store says of a checkpoint, and of who may write."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from stream.storage.older_status import completed


class Claim(NamedTuple):
    """The right to write a shard, until somebody else claims it."""

    epoch: int
    last_number: int


class Identity(msgspec.Struct, frozen=True):
    """What a checkpoint was made with.

    Parameters
    ----------
    fingerprint
        Digests of how events are read, and of what learns from them, with a dot between.
    format
        Version of the blobs' layout.
    libraries
        Versions of River, Python, NumPy and riverrun.
    """

    fingerprint: str
    format: int
    libraries: dict[str, str]

    @property
    def reads(self) -> str:
        """Digest of how events are read: with another one, a state cannot go on."""
        return self.fingerprint.partition(".")[0]


class StoredCheckpoint(msgspec.Struct, frozen=True):
    """One row of checkpoints, without its blobs."""

    number: int
    epoch: int
    created_at: float
    offsets: dict[str, int]
    version: str
    status: dict[str, Any]
    identity: Identity


def stored_checkpoint(row: Any) -> StoredCheckpoint:
    """Return a row of checkpoints as a value."""
    identity = Identity(row.fingerprint, row.format, dict(row.libraries))
    return StoredCheckpoint(
        row.number,
        row.epoch,
        row.created_at,
        dict(row.offsets),
        row.version,
        completed(row.status, row.version),
        identity,
    )
