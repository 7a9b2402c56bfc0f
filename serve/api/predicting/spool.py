"""Bytes between a writer and a slower reader: in memory, then in a file, then no more."""

from __future__ import annotations

import asyncio
from tempfile import SpooledTemporaryFile
from typing import Self

_MEMORY_BYTES = 1 << 20
_CHUNK_BYTES = 1 << 16


class Spool:
    """A first-in, first-out buffer for one event loop.

    A client that sends all of a stream before it reads the first answer is common; its answers
    wait in a temporary file meanwhile.

    Parameters
    ----------
    limit
        Bytes that may wait.

    Examples
    --------
    >>> async def through() -> bytes:
    ...     with Spool(100) as spool:
    ...         await spool.put(b"abc")
    ...         spool.end()
    ...         return await spool.get() + await spool.get()
    >>> asyncio.run(through())
    b'abc'
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        # Closed by __exit__.
        self._file: SpooledTemporaryFile[bytes] = SpooledTemporaryFile(_MEMORY_BYTES)  # noqa: SIM115
        self._read = 0
        self._written = 0
        self._ended = False
        self._changed = asyncio.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        return self._written - self._read

    async def put(self, data: bytes) -> None:
        """Add bytes; wait while too many wait to be read."""
        while len(self) >= self._limit:
            await self._change()
        self._file.seek(self._written)
        self._file.write(data)
        self._written += len(data)
        self._changed.set()

    def end(self) -> None:
        """Say that no more will come."""
        self._ended = True
        self._changed.set()

    async def get(self) -> bytes:
        """Return the next bytes, waiting for some; none at the end."""
        while not len(self):
            if self._ended:
                return b""
            await self._change()
        self._file.seek(self._read)
        data = self._file.read(_CHUNK_BYTES)
        self._read += len(data)
        if self._read == self._written:
            self._file.seek(0)
            self._file.truncate()
            self._read = self._written = 0
        self._changed.set()
        return data

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()
