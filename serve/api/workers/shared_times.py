"""A limit's moments in a file that the API processes of one machine share."""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
from hashlib import blake2b
from pathlib import Path

from serve.api.auth.limits import advanced

_SLOTS = 16_384
_TRIES = 16
_ROW = struct.Struct("16sd")


class SharedTimes:
    """By bucket the moment at which it will be full again; see ``serve.api.auth.limits.Times``.

    A table of fixed size: a bucket stands in one of the places that follow its hash. One that is
    full again has nothing to remember and gives its place away; where no place is free, that of
    the bucket which will be full first is taken.

    Parameters
    ----------
    path
        Of the file; made where it is missing.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.ftruncate(self._file, _SLOTS * _ROW.size)
        self._table = mmap.mmap(self._file, _SLOTS * _ROW.size)

    def advance(self, bucket: str, now: float, step: float, most: float) -> tuple[float, bool]:
        """Move a bucket's moment on."""
        key = blake2b(bucket.encode(), digest_size=16).digest()
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            place, full_at = self._find(key, now)
            ahead, moved = advanced(full_at, now, step, most)
            if moved:
                _ROW.pack_into(self._table, place, key, now + ahead)
            return ahead, moved
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of the file."""
        self._table.close()
        os.close(self._file)

    def _find(self, key: bytes, now: float) -> tuple[int, float]:
        """Return where a bucket stands, or may stand, and its moment."""
        first = int.from_bytes(key[:4], "little")
        best, earliest = 0, float("inf")
        for step in range(_TRIES):
            place = (first + step) % _SLOTS * _ROW.size
            found, full_at = _ROW.unpack_from(self._table, place)
            if found == key:
                return place, full_at
            if full_at < earliest:
                best, earliest = place, full_at
        return best, now
