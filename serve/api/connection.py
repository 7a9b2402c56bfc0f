"""One connection: uvicorn's protocol, with limits on whoever is slow, silent or endless."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serve.api.problems import MEDIA_TYPE, problem_of

MAX_HEAD_BYTES = 65_536
"""Bytes of a request's line and headers."""


class Connection(HttpToolsProtocol):
    """Adds to uvicorn's protocol what it leaves open.

    A head that does not come in time, or does not end, is answered and the connection closed; so
    is one on which nothing is asked. What is no HTTP is answered with a problem document. A client
    that closes its half after a request gets the answer.
    """

    head_seconds: float = 30.0

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._head_bytes = 0
        self._head_is_open = False
        self._head_ends: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, and expect a head."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._head_came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read a part of a request."""
        before = self._head_is_open
        super().data_received(data)
        if self._head_is_open:  # begun and not complete: rare, but for the slow
            self._head_bytes = (self._head_bytes if before else 0) + len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(
                    431, "head_too_large", f"the headers are over {MAX_HEAD_BYTES:,} bytes"
                )
            elif self._head_ends is None:
                self._expect_head()

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """Note that no more will come; keep what is asked alive until it is answered."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete or self.scheme == "https":
            return None  # TLS knows no half-closed connections
        if cycle.more_body:
            if not cycle.response_started:
                self._refuse(400, "incomplete_request", "the connection was closed in the body")
            return None
        if cycle.response_started and cycle.scope["method"] != "POST":
            return None  # a viewer of live events that left
        cycle.keep_alive = False
        return True

    def on_message_begin(self) -> None:
        """Begin a request's head."""
        self._head_is_open = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """End a request's head."""
        self._head_is_open = False
        if self._head_ends is not None:
            self._head_came()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP."""
        self._refuse(400, "invalid_http", f"{msg.rstrip('.')}; send HTTP/1.1")

    def _expect_head(self) -> None:
        self._head_ends = self.loop.call_later(self.head_seconds, self._head_is_late)

    def _head_came(self) -> None:
        if self._head_ends is not None:
            self._head_ends.cancel()
            self._head_ends = None

    def _head_is_late(self) -> None:
        self._head_ends = None
        if self.transport.is_closing():
            return
        if self._head_is_open:
            detail = f"the request's head did not come in within {self.head_seconds:g} s"
            self._refuse(408, "head_timeout", detail)
        else:
            self.transport.close()

    def _refuse(self, status: int, kind: str, detail: str) -> None:
        """Answer outside of any request, and close."""
        if self.transport.is_closing():
            return
        body = problem_of(status, kind, detail).model_dump_json(exclude_none=True).encode()
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
            f"content-type: {MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\n"
            "connection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()


def connection_with(head_seconds: float) -> type[Connection]:
    """Return the protocol with a limit on how long a head may take, in seconds."""
    return type("Connection", (Connection,), {"head_seconds": head_seconds})
