"""What schemathesis does not know by itself: bodies and answers of one JSON value a line."""

from __future__ import annotations

import json

import schemathesis

NDJSON = "application/x-ndjson"


@schemathesis.serializer(NDJSON)
def as_lines(ctx, value) -> bytes:
    """Send text as it is."""
    return value if isinstance(value, bytes) else str(value).encode()


@schemathesis.deserializer(NDJSON)
def last_line(ctx, response) -> object:
    """Check the last line against the schema of a line; an empty answer fits."""
    lines = [json.loads(line) for line in response.content.splitlines()]
    return lines[-1] if lines else {}
