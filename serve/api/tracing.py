"""The trace of a request: taken from its header, handed on with what it appends; as a span, too."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stream.records import Headers
from stream.trace import TRACEPARENT, TRACESTATE, trace_headers, trace_id

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

_trace: ContextVar[Headers] = ContextVar("trace", default=())
_NAMES = {TRACEPARENT.encode(): TRACEPARENT, TRACESTATE.encode(): TRACESTATE}


def current_trace() -> Headers:
    """Return the headers that hand the trace of this request on; none where it has none."""
    return _trace.get()


def take_trace(scope: Scope) -> None:
    """Take the trace of a request from its headers, for its task alone; logs name it."""
    given = tuple((_NAMES[n], v) for n, v in scope["headers"] if n in _NAMES)
    if given and (found := trace_headers(given)):
        _trace.set(found)
        structlog.contextvars.bind_contextvars(trace_id=trace_id(found))


class TracedRequests:
    """Makes a span of each request, whose parent is the caller's; used where traces are wanted.

    Pure ASGI, inside what takes the caller's trace.

    Parameters
    ----------
    app
        The application inside.
    provider
        Of spans.
    """

    def __init__(self, app: ASGIApp, provider: TracerProvider) -> None:
        self._app = app
        self._tracer = provider.get_tracer("riverrun")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or not scope["path"].startswith(("/v1/", "/v2/")):
            await self._app(scope, receive, send)
            return
        from opentelemetry.trace import SpanKind, StatusCode
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        propagator = TraceContextTextMapPropagator()
        parent = propagator.extract({name: value.decode() for name, value in current_trace()})
        method = scope["method"]
        with self._tracer.start_as_current_span(
            method, context=parent, kind=SpanKind.SERVER
        ) as span:
            carrier: dict[str, str] = {}
            propagator.inject(carrier)
            _trace.set(tuple((name, value.encode()) for name, value in carrier.items()))
            structlog.contextvars.bind_contextvars(trace_id=trace_id(_trace.get()))

            async def noting(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                    if message["status"] >= 500:
                        span.set_status(StatusCode.ERROR)
                await send(message)

            try:
                await self._app(scope, receive, noting)
            finally:
                # Its template: known once the router has found it, and of bounded number.
                route = getattr(scope.get("route"), "path", "none")
                span.update_name(f"{method} {route}")
                span.set_attributes({"http.request.method": method, "http.route": route})
