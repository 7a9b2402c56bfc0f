"""Sealed values in a store of keys and bytes, cut into pieces that fit into a record of Kafka."""

from __future__ import annotations

from typing import Protocol

import msgspec

from stream.errors import CheckpointDamagedError
from stream.storage.seal import is_sealed, seal

PIECE_BYTES = 500_000
"""Of a value: its changelog is a topic, whose records are of 1 MB at most."""


class Store(Protocol):
    """What a partition's state is kept in: bytes by name."""

    def get(self, name: bytes) -> bytes | None:
        """Return a value, or None."""
        ...

    def put(self, name: bytes, data: bytes) -> None:
        """Write a value."""
        ...

    def delete(self, name: bytes) -> None:
        """Delete a value."""
        ...


class _Head(msgspec.Struct, array_like=True, frozen=True):
    """The first piece of a value."""

    pieces: int
    seal: str
    data: bytes


_head = msgspec.msgpack.Decoder(_Head)


class Values:
    """Values by name, of one partition of a stream.

    Parameters
    ----------
    store
        Where they are.
    place
        Names stream and partition: what was written elsewhere does not verify.
    secret
        Signs and verifies them; None for digests only.
    """

    def __init__(self, store: Store, place: str, secret: bytes | None) -> None:
        self._store = store
        self._place = place
        self._secret = secret

    def get(self, name: str) -> bytes | None:
        """Return a value that fits its seal, or None where there is none.

        Raises
        ------
        CheckpointDamagedError
        """
        found = self._store.get(name.encode())
        if found is None:
            return None
        head = _head.decode(found)
        more = [self._store.get(_piece(name, number)) or b"" for number in range(1, head.pieces)]
        data = b"".join([head.data, *more])
        if not is_sealed(data, f"{self._place}/{name}", self._secret, head.seal):
            signed = "" if self._secret is None else ", or was not signed with RIVERRUN_SECRET"
            raise CheckpointDamagedError(
                f"the state {name!r} of {self._place} is damaged{signed}. Give the stream another "
                "name, which learns it anew from the log"
            )
        return data

    def put(self, name: str, data: bytes) -> None:
        """Write a value."""
        self.delete(name)
        pieces = [data[at : at + PIECE_BYTES] for at in range(0, len(data), PIECE_BYTES)] or [b""]
        head = _Head(len(pieces), seal(data, f"{self._place}/{name}", self._secret), pieces[0])
        self._store.put(name.encode(), msgspec.msgpack.encode(head))
        for number, piece in enumerate(pieces[1:], start=1):
            self._store.put(_piece(name, number), piece)

    def delete(self, name: str) -> None:
        """Delete a value, where there is one."""
        found = self._store.get(name.encode())
        if found is None:
            return
        for number in range(1, _head.decode(found).pieces):
            self._store.delete(_piece(name, number))
        self._store.delete(name.encode())


def _piece(name: str, number: int) -> bytes:
    return f"{name}\x00{number}".encode()
