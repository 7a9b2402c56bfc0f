"""Trace context (W3C ``traceparent``): whose request an event is part of, handed on as it came."""

from __future__ import annotations

import re

from stream.records import Headers

TRACEPARENT = "traceparent"
"""Header of HTTP and of records; https://www.w3.org/TR/trace-context/."""

TRACESTATE = "tracestate"
"""Header that goes with it: what vendors add."""

_PARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_LATER = re.compile(rb"(?!00|ff)[0-9a-f]{2}-[!-~]{1,250}")
_STATE = re.compile(rb"[ -~]{1,512}")


def is_traceparent(value: bytes) -> bool:
    """Return whether a value is the header of a trace; what is not is never handed on.

    Examples
    --------
    >>> is_traceparent(b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    True
    >>> is_traceparent(b"00-" + b"0" * 32 + b"-b7ad6b7169203331-01")
    False
    """
    if value[:2] != b"00" and len(value) > 55:  # a later version may have more behind it
        return _PARENT.match(value) is not None and _LATER.fullmatch(value) is not None
    return _PARENT.fullmatch(value) is not None


def trace_id(headers: Headers) -> str | None:
    """Return the trace of a record, in 32 hexadecimal digits; None where it has none.

    Examples
    --------
    >>> parent = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    >>> trace_id(((TRACEPARENT, parent),))
    '0af7651916cd43dd8448eb211c80319c'
    """
    for name, value in reversed(headers):
        if name == TRACEPARENT:
            return value[3:35].decode() if is_traceparent(value) else None
    return None


def trace_headers(headers: Headers) -> Headers:
    """Return the headers of a trace among others, for a record that follows from this one."""
    parent = next((v for n, v in reversed(headers) if n == TRACEPARENT), None)
    if parent is None or not is_traceparent(parent):
        return ()
    state = next((v for n, v in reversed(headers) if n == TRACESTATE), None)
    if state is None or _STATE.fullmatch(state) is None:
        return ((TRACEPARENT, parent),)
    return ((TRACEPARENT, parent), (TRACESTATE, state))
