"""A small TCP proxy that is cut, slow or half-open when a test says so."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

_CHUNK = 16 * 1024


class Proxy:
    """Passes bytes on between 127.0.0.1:``port`` and ``target``, in a thread of its own.

    Parameters
    ----------
    port
        Where it listens.
    target
        The port of 127.0.0.1 that it leads to.

    Attributes
    ----------
    accepted, passed
        Connections and bytes so far.
    """

    def __init__(self, port: int, target: int) -> None:
        self.port, self.target = port, target
        self.accepted = self.passed = 0
        self._bytes_per_second: float | None = None
        self._frozen: set[asyncio.StreamWriter] = set()
        self._is_silent = False
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.listen()

    def listen(self) -> None:
        """Take connections, again."""
        self._do(self._listen())

    def refuse(self) -> None:
        """Take no connection any more, as a host does on which nothing listens."""
        self._do(self._close_server())

    def cut(self) -> None:
        """Reset every connection, in the middle of whatever is on its way."""
        self._do(self._cut())

    def freeze(self) -> None:
        """Pass nothing on over the connections that are open, and close none of them: half-open."""
        self._do(self._freeze())

    def fall_silent(self, is_silent: bool = True) -> None:
        """Take connections and pass nothing on, as a firewall that drops."""
        self._is_silent = is_silent

    def slow_down(self, bytes_per_second: float | None) -> None:
        """Pass on so many bytes a second and connection, one way; None: as they come."""
        self._bytes_per_second = bytes_per_second

    def close(self) -> None:
        """End everything."""
        self._do(self._close_server())
        self._do(self._cut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def _close_server(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _cut(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()
        self._open.clear()
        self._frozen.clear()
        await asyncio.sleep(0)

    async def _freeze(self) -> None:
        self._frozen |= self._open

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self._open.add(writer)
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        self._open.add(back)
        await asyncio.gather(self._pass(reader, back), self._pass(there, writer))
        for one in (writer, back):
            self._open.discard(one)
            one.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(_CHUNK):
                while self._is_silent or writer in self._frozen:  # noqa: ASYNC110  # set by a thread
                    await asyncio.sleep(0.05)
                if (speed := self._bytes_per_second) is not None:
                    await asyncio.sleep(len(data) / speed)
                self.passed += len(data)
                writer.write(data)
                await writer.drain()
        with suppress(OSError):
            writer.close()
