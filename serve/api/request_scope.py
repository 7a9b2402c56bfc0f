"""What surrounds every request: its id, its measurement, and an answer whatever happens."""

from __future__ import annotations

import random
import re
import time

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.api.auth.headers import with_security
from serve.api.metrics import HttpMetrics
from serve.api.problems import problem_of, problem_response
from serve.api.tracing import take_trace

_log = structlog.get_logger("riverrun.api")

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
_CLIENT_CLOSED = 499  # nginx's number for a client that went away; for metrics only


class RequestScope:
    """Gives each request an id, counts and times it, and answers where the application failed.

    Pure ASGI, since ``BaseHTTPMiddleware`` costs a task and two queues for each request.

    Parameters
    ----------
    app
        The application inside.
    metrics
        Where requests are counted.
    """

    def __init__(self, app: ASGIApp, metrics: HttpMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        take_trace(scope)
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id.decode()
        started = time.perf_counter()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                mine = [*message["headers"], (b"x-request-id", request_id)]
                mine += scope["state"].get("headers", ())
                message["headers"] = with_security(mine, scope.get("scheme", "http"))
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except ClientDisconnect:
            pass
        except Exception:  # whatever it was: logged, and never shown to the caller
            _log.exception("request_failed", request_id=request_id.decode(), path=scope["path"])
            if status:
                raise
            await _apologize(scope, receive, send_with_id)
        finally:
            route = getattr(scope.get("route"), "path", None)
            seconds = time.perf_counter() - started
            self._metrics.observe(scope["method"], route, status or _CLIENT_CLOSED, seconds)


def _request_id(scope: Scope) -> bytes:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return bytes(value)
    # Not a secret; asking the system for random bytes would cost as much as a prediction.
    return b"%032x" % random.getrandbits(128)


async def _apologize(scope: Scope, receive: Receive, send: Send) -> None:
    request = Request(scope, receive)
    problem = problem_of(
        500,
        "internal_error",
        "riverrun failed here, and has logged why; report it with the request id",
    )
    await problem_response(problem, request)(scope, receive, send)
