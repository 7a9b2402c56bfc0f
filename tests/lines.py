"""Small streams for tests: a configuration, records, and a line that learns from them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from stream.build import line_factory
from stream.config import Config
from stream.line import Line
from stream.records import NewRecord, Record

PIPELINE = "preprocessing.StandardScaler() | linear_model.LogisticRegression()"

SMALL_MONITOR = {
    "warmup_events": 100,
    "pane_events": 20,
    "spans": (1, 2, 4),
    "min_values": 10,
    "reference_losses": 30,
}
"""A section ``[monitor]`` that has seen everything after a few hundred events."""


def make_config(**sections: dict[str, Any]) -> Config:
    """Return a binary stream ``s`` with ids, times and labels, changed as asked."""
    tables: dict[str, Any] = {
        "stream": {"name": "s"},
        "event": {"id": "id", "time": "t", "label": "y"},
        "model": {"task": "binary", "pipeline": PIPELINE},
    }
    for name, section in sections.items():
        tables[name] = tables.get(name, {}) | section
    return Config(**tables)


def make_line(config: Config | None = None) -> Line:
    """Return a line that has learned nothing."""
    return line_factory(config or make_config())("v1")


def event(number: int, label: bool | None = None, **fields: Any) -> dict[str, Any]:
    """Return an event whose features decide its label, mostly."""
    rng = random.Random(number)
    row = {"id": f"e{number}", "t": number * 1_000, "a": rng.gauss(0, 1), "b": rng.gauss(0, 1)}
    return row | ({} if label is None else {"y": label}) | fields


def truth(number: int) -> bool:
    """Return the label that an event's features make likely."""
    rng = random.Random(number)
    return rng.gauss(0, 1) + 0.3 * rng.gauss(0, 1) > 0


def records(topic: str, rows: Iterable[Any], start: int = 0) -> list[Record]:
    """Return rows (objects, or bytes as they are) as records of partition 0."""
    return [
        Record(topic, 0, start + i, 1_000_000 + i, None, as_bytes(row))
        for i, row in enumerate(rows)
    ]


def new_records(topic: str, rows: Sequence[Any]) -> list[NewRecord]:
    """Return rows as records to append."""
    return [NewRecord(topic, None, as_bytes(row)) for row in rows]


def as_bytes(row: Any) -> bytes:
    """Return a row as JSON, unless it is bytes already."""
    return row if isinstance(row, bytes) else msgspec.json.encode(row)


def interleaved(
    count: int, delay: int = 5, topics: tuple[str, str] = ("s.events", "s.labels")
) -> list[NewRecord]:
    """Return events, with every label a few events later, and some faults among them."""
    events, labels = topics
    rows: list[NewRecord] = []
    for number in range(count + delay):
        if number < count:
            inside = truth(number) if number % 3 == 0 else None
            rows += new_records(events, [event(number, inside)])
        settled = number - delay
        if settled >= 0 and settled % 3 == 1:
            rows += new_records(labels, [{"id": f"e{settled}", "y": truth(settled)}])
        if number % 50 == 7:
            rows += new_records(events, [b'{"broken'])
        if number % 40 == 9:
            rows += new_records(events, [event(number // 2)])
        if number % 60 == 11:
            rows += new_records(labels, [{"id": f"e{number}", "y": True}])
    return rows
