"""A batch as a stream: one event a line in, one answer a line out, in bounded memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from serve.api.predicting.answer import Answered, answer_one, plain_problem
from serve.api.predicting.offsets import live_model
from serve.api.predicting.prefetch import bring_keys
from serve.api.predicting.spool import Spool
from serve.api.problems import FieldError, Problem, ProblemError, problem_of
from serve.api.served_stream import ServedStream

NDJSON = "application/x-ndjson"

_SPOOL_BYTES = 256 << 20
_TURN_SECONDS = 0.01
_encode = msgspec.json.Encoder().encode


class NdjsonAnswer(Response):
    """Reads the request's lines while it answers them.

    The status is 200 before the first line is read, so that whatever goes wrong with a line, or
    with the rest of the body, is a line with a problem. A client that goes away ends the work.

    Parameters
    ----------
    stream
        Whose events they are.
    record
        Whether they are to be appended.
    """

    documented: dict[int | str, dict[str, Any]] = {  # noqa: RUF012 - a constant
        200: {
            "description": "The answers; as NDJSON one a line, in the shape of a batch's result.",
            "content": {
                NDJSON: {
                    "schema": {"$ref": "#/components/schemas/BatchResult"},
                }
            },
        }
    }

    def __init__(self, stream: ServedStream, record: bool) -> None:
        super().__init__(media_type=NDJSON)
        del self.headers["content-length"]
        self._stream = stream
        self._record = record
        self._seconds = stream.config.api.body_timeout / 1000
        self._done = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = self.raw_headers
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        with Spool(_SPOOL_BYTES) as spool:
            try:
                async with asyncio.TaskGroup() as both:
                    both.create_task(self._answer(receive, spool))
                    both.create_task(self._send(spool, send))
            except* (ClientDisconnect, TimeoutError):
                pass  # nobody reads the rest; uvicorn closes the connection

    async def _answer(self, receive: Receive, spool: Spool) -> None:
        index = 0
        turn_ends = time.perf_counter() + _TURN_SECONDS
        limit = self._stream.config.api.max_body_bytes
        try:
            async for line in lines_of(receive, limit, self._seconds):
                await bring_keys(self._stream, [] if line is None else [line])
                await spool.put(self._answered(line, f"events[{index}]"))
                index += 1
                if time.perf_counter() > turn_ends:
                    await asyncio.sleep(0)
                    turn_ends = time.perf_counter() + _TURN_SECONDS
        except TimeoutError:
            message = f"no more came within api.body_timeout = {self._seconds:g} s"
            errors = [FieldError(field=f"events[{index}]", message=message)]
            problem = problem_of(408, "body_timeout", message, errors=errors)
            await spool.put(_line(problem))
            spool.end()
            return
        spool.end()
        while not self._done:
            if (await receive())["type"] == "http.disconnect" and not self._done:
                raise ClientDisconnect

    async def _send(self, spool: Spool, send: Send) -> None:
        while data := await spool.get():
            message: Message = {"type": "http.response.body", "body": data, "more_body": True}
            async with asyncio.timeout(self._seconds):
                await send(message)
        self._done = True
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _answered(self, line: bytes | None, where: str) -> bytes:
        stream = self._stream
        if line is None:
            message = f"the line is over api.max_body_bytes = {stream.config.api.max_body_bytes:,}"
            errors = [FieldError(field=where, message=message)]
            return _line(problem_of(413, "too_large", f"{where}: {message}", errors=errors))
        if not line.isascii():
            try:
                line.decode()
            except UnicodeDecodeError as error:
                message = f"byte {error.start} is not UTF-8; send UTF-8"
                errors = [FieldError(field=where, message=message)]
                return _line(problem_of(400, "wrong_encoding", message, errors=errors))
        try:
            answer = answer_one(stream, live_model(stream), line, self._record, where)
        except ProblemError as error:
            answer = error.problem
        return (
            b'{"prediction":%b}\n' % answer.body if isinstance(answer, Answered) else _line(answer)
        )


async def lines_of(receive: Receive, limit: int, seconds: float) -> AsyncIterator[bytes | None]:
    """Return a body's lines as they come in; blank ones are passed over.

    Parameters
    ----------
    receive
        Of the request.
    limit
        Bytes of a line; a longer one is None, and is not kept.
    seconds
        That may pass between two parts of the body.

    Raises
    ------
    TimeoutError, ClientDisconnect
    """
    rest, too_long, more = b"", False, True
    while more:
        async with asyncio.timeout(seconds):
            message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        more = message.get("more_body", False)
        *whole, rest = (rest + message.get("body", b"")).split(b"\n")
        for line in whole:
            if too_long or len(line) > limit:
                too_long = False
                yield None
            elif not line.isspace() and line:
                yield line
        if len(rest) > limit:
            rest, too_long = b"", True
    if too_long or len(rest) > limit:
        yield None
    elif rest and not rest.isspace():
        yield rest


def _line(problem: Problem) -> bytes:
    return _encode({"problem": plain_problem(problem)}) + b"\n"
