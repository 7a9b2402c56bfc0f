"""Small histories whose change, or whose lack of one, is known."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import msgspec

from stream.config import Config
from stream.records import Record

CHANGE = 1_500
GAUSS = "naive_bayes.GaussianNB()"
SMALL = {
    "monitor": {
        "warmup_events": 500,
        "pane_events": 100,
        "spans": (1, 2, 4),
        "reference_losses": 300,
    },
    "retrain": {"min_events": 300, "min_labels": 200, "max_labels": 2_000, "probation": 1_000},
}


def rows(count: int, change: int | None = CHANGE, seed: int = 1) -> Iterator[dict[str, Any]]:
    """Yield events a minute apart; from the change on, the same features mean the opposite."""
    rng = random.Random(seed)
    for number in range(count):
        a, b = rng.gauss(0, 1), rng.gauss(0, 1)
        label = a + 0.3 * rng.gauss(0, 1) > 0
        flipped = change is not None and number >= change
        yield {"id": f"e{number}", "t": number * 60_000, "a": a, "b": b, "y": label != flipped}


def history(count: int, change: int | None = CHANGE, seed: int = 1) -> list[Record]:
    """Return such events as records."""
    return [
        Record("s.events", 0, at, row["t"], None, msgspec.json.encode(row))
        for at, row in enumerate(rows(count, change, seed))
    ]


def small_config(**sections: dict[str, Any]) -> Config:
    """Return a configuration that has seen everything after a few hundred events."""
    tables: dict[str, Any] = {
        "stream": {"name": "s"},
        "event": {"id": "id", "time": "t", "label": "y"},
        "model": {"task": "binary", "pipeline": GAUSS},
    }
    for name, section in (*SMALL.items(), *sections.items()):
        tables[name] = tables.get(name, {}) | section
    return Config(**tables)
