"""A stream whose monitor has seen something: a reference, panes, a shift, and bad events."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path

from tests.serve.conftest import PIPELINE, World

WARM_UP, PANE, EVENTS = 100, 20, 400
SHIFTED_FROM = 260.0
MONITOR = {
    "warmup_events": WARM_UP,
    "pane_events": PANE,
    "spans": (1, 2, 4),
    "min_values": 10,
    "reference_losses": 30,
}


def watched_event(number: int, *, labelled: bool = True) -> dict:
    """Return an event, a second after the one before; ``x`` is shifted from one time on."""
    rng = random.Random(number)
    x, z = rng.gauss(0, 1), rng.gauss(0, 1)
    shift = 3.0 if number >= SHIFTED_FROM else 0.0
    row = {"id": f"e{number}", "at": number * 1000, "x": x + shift, "z": z, "c": rng.choice("abc")}
    return row | ({"late": x + 0.3 * z > 0} if labelled else {})


def watched_world(folder: Path, events: int = EVENTS, **sections) -> World:
    """Return a stream whose worker has read some events, and committed."""
    sections["monitor"] = MONITOR | sections.get("monitor", {})
    sections["model"] = {"pipeline": f"compose.Select('x', 'z') | {PIPELINE}"}
    world = World(folder, **sections)
    world.append(*(watched_event(number) for number in range(events)))
    world.work()
    return world


def damage(world: World, statement: str, *values) -> None:
    """Change the store behind everybody's back."""
    with sqlite3.connect(world.folder / "store.db") as db:
        db.execute(statement, values)
    db.close()
