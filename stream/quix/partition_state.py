"""A line's state in a store of keys and bytes: what changed is written, as a checkpoint does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from zlib import crc32

import msgspec

from stream.checkpoint import Snapshot
from stream.errors import CheckpointDamagedError, HaltedError
from stream.keys.on_line import load_from
from stream.keys.rows import KeyRow, KeyWrite
from stream.line import Line
from stream.quix.values import Values
from stream.snapshot import mark_committed, restore, take_snapshot
from stream.storage.stored import Identity

_BUCKETS = 64
_MANIFEST = "manifest"


class _Manifest(msgspec.Struct):
    """What a partition's state consists of."""

    number: int
    offsets: dict[str, int]
    version: str
    identity: Identity
    parts: list[str]
    chunks: dict[str, list[int]]


class PartitionState:
    """The state of one partition: loaded into a line once, and written after it has changed.

    Parameters
    ----------
    values
        Where it is; another one for each transaction, by ``use``.
    identity
        What this process would write.
    name
        Of stream and partition, for messages.

    Attributes
    ----------
    number
        How often it was written.
    """

    def __init__(self, values: Values, identity: Identity, name: str) -> None:
        self._values = values
        self._identity = identity
        self._name = name
        self.number = 0
        self._chunks: dict[str, list[int]] = {}
        self._buckets: list[dict[str, KeyRow]] = [{} for _ in range(_BUCKETS)]

    def use(self, values: Values) -> None:
        """Go on in another transaction."""
        self._values = values

    def is_of_now(self) -> bool:
        """Return whether the store holds what was written last, and nothing else."""
        manifest = self._manifest()
        return self.number == (0 if manifest is None else manifest.number)

    def load(self, make_line: Callable[[str], Line]) -> Line:
        """Return the line as it was when it was written last; a new one before the first time.

        Raises
        ------
        CheckpointDamagedError
        HaltedError
            When the state was learned with another pipeline, or by another River.
        """
        manifest = self._manifest()
        line = make_line("v1" if manifest is None else manifest.version)
        if manifest is not None:
            self._refuse_others(manifest.identity)
            self.number, self._chunks = manifest.number, manifest.chunks
            self._restore(line, manifest)
        load_from(line, self._models)
        return line

    def save(self, line: Line) -> None:
        """Write what changed since the last time."""
        snapshot, changes = take_snapshot(line)
        number = self.number + 1
        for name, data in snapshot.parts.items():
            self._values.put(f"part/{name}", data)
        for kind, change in snapshot.chunks.items():
            kept = self._chunks.setdefault(kind, [])
            for old in [one for one in kept if one < change.first]:
                self._values.delete(f"chunk/{kind}/{old}")
                kept.remove(old)
            if change.data is not None:
                self._values.put(f"chunk/{kind}/{number}", change.data)
                kept.append(number)
        if snapshot.keys is not None:
            self._write_keys(snapshot.keys, number)
        manifest = _Manifest(
            number,
            snapshot.offsets,
            snapshot.version,
            self._identity,
            sorted(snapshot.parts),
            self._chunks,
        )
        self._values.put(_MANIFEST, msgspec.json.encode(manifest))
        self.number = number
        mark_committed(line, changes, number)

    def _write_keys(self, change: KeyWrite, number: int) -> None:
        touched = set()
        for key in change.gone:
            if self._bucket(key).pop(key, None) is not None:
                self._values.delete(f"key/{key}")
                touched.add(_bucket_of(key))
        for row in change.rows:
            self._values.put(f"key/{row.key}", row.data or b"")
            place = msgspec.structs.replace(row, number=number, data=None)
            self._bucket(row.key)[row.key] = place
            touched.add(_bucket_of(row.key))
        for bucket in touched:
            rows = list(self._buckets[bucket].values())
            self._values.put(f"keys/{bucket}", msgspec.json.encode(rows))

    def _restore(self, line: Line, manifest: _Manifest) -> None:
        parts = {name: self._there(f"part/{name}") for name in manifest.parts}
        chunks = {
            kind: [(number, self._there(f"chunk/{kind}/{number}")) for number in numbers]
            for kind, numbers in manifest.chunks.items()
        }
        rows: list[KeyRow] = []
        for bucket in range(_BUCKETS):
            if (found := self._values.get(f"keys/{bucket}")) is not None:
                some = msgspec.json.decode(found, type=list[KeyRow])
                self._buckets[bucket] = {row.key: row for row in some}
                rows += some
        rows.sort(key=lambda row: row.turn)
        snapshot = Snapshot(manifest.offsets, manifest.version, parts, {}, key_rows=rows)
        restore(line, snapshot, chunks)

    def _models(self, wanted: Mapping[str, int]) -> Mapping[str, bytes]:
        return {key: self._there(f"key/{key}") for key in wanted}

    def _bucket(self, key: str) -> dict[str, KeyRow]:
        return self._buckets[_bucket_of(key)]

    def _there(self, name: str) -> bytes:
        found = self._values.get(name)
        if found is None:
            raise CheckpointDamagedError(f"the state {name!r} of {self._name} is missing")
        return found

    def _manifest(self) -> _Manifest | None:
        found = self._values.get(_MANIFEST)
        return None if found is None else msgspec.json.decode(found, type=_Manifest)

    def _refuse_others(self, theirs: Identity) -> None:
        ours = self._identity
        same = ("river",)
        if theirs.fingerprint == ours.fingerprint and theirs.format == ours.format:
            if all(theirs.libraries.get(name) == ours.libraries[name] for name in same):
                return
            was = f"River {theirs.libraries.get('river')}, and this is {ours.libraries['river']}"
        else:
            was = "another pipeline, task, metrics, event mapping or riverrun"
        raise HaltedError(
            f"the state of {self._name} was learned with {was}. Put it back as it was, or give the "
            "stream another name, which learns it anew from the log"
        )


def _bucket_of(key: str) -> int:
    return crc32(key.encode()) % _BUCKETS
