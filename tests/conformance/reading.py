"""How the tests read."""

from __future__ import annotations

import time

from stream.log import Source
from stream.records import Record


def read(source: Source, count: int, batch: int = 1_000, seconds: float = 20.0) -> list[Record]:
    """Return exactly that many records, or fail."""
    records: list[Record] = []
    deadline = time.monotonic() + seconds
    while len(records) < count and time.monotonic() < deadline:
        records += source.poll(min(batch, count - len(records)), 0.5)
    assert len(records) == count
    return records


def read_all(source: Source, patience: float, batch: int = 1_000) -> list[Record]:
    """Return records until none comes for a while, and none is left that should come."""
    records: list[Record] = []
    deadline = time.monotonic() + 60
    while True:
        found = source.poll(batch, patience)
        records += found
        if not found and (not any(source.lag().values()) or time.monotonic() > deadline):
            return records


def places(records: list[Record]) -> list[tuple[str, int, int]]:
    """Return where records stand."""
    return [(record.topic, record.partition, record.offset) for record in records]
