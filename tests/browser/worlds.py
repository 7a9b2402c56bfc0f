"""Streams for the dashboard's tests: real workers have read real events."""

from __future__ import annotations

import pickle
import random
from pathlib import Path
from typing import Any

from river import linear_model
from sqlalchemy import create_engine, update

from serve.compose import Secrets
from serve.crew import opened_crew
from stream.build import line_factory
from stream.clock import SystemClock
from stream.learner import Learner
from stream.records import NewRecord
from stream.storage.tables import checkpoints
from stream.tracing import Untraced
from stream.worker import Worker, open_worker
from tests.faults.victim import trainings_in_this_process
from tests.serve.conftest import World

HOSTILE = '<img src=x onerror="document.title=1">'
HOSTILE_TEXT = "<b>bold</b> %{x} $x$ &lt;"
NAMES = ["x", "z", "c", HOSTILE, HOSTILE_TEXT]
SHIFT = 260
MONITOR: dict[str, Any] = {
    "warmup_events": 100,
    "pane_events": 20,
    "spans": (1, 2, 4),
    "min_values": 10,
    "reference_losses": 30,
}
PIPELINE = "preprocessing.StandardScaler() | linear_model.LogisticRegression()"


class Lived(World):
    """A stream whose worker trains challengers, in this process."""

    @property
    def worker(self) -> Worker:
        if self._worker is None:
            launch = None
            if self.config.retrain.enabled:
                launch = trainings_in_this_process(self.config, self.log, self.store)
            self._worker = open_worker(
                self.config, self.log, self.store, line_factory(self.config), SystemClock(), launch
            )
            self._worker.start()
        return self._worker

    def append_bytes(self, *values: bytes) -> None:
        """Append records that are no events."""
        records = [NewRecord(self.config.events_topic, None, value) for value in values]
        self.log.sink().append(records).offsets()


def lived_event(number: int) -> dict[str, Any]:
    """Return an event, a minute after the one before; ``x`` is shifted from one time on."""
    rng = random.Random(number)
    x, z = rng.gauss(0, 1), rng.gauss(0, 1)
    row: dict[str, Any] = {
        "id": f"e{number}",
        "at": number * 60_000,
        "x": x + (3.0 if number >= SHIFT else 0.0),
        "z": z,
        "c": rng.choice(["a", "b", "<i>c</i>"]),
        HOSTILE: rng.gauss(0, 1) + (2.0 if number >= SHIFT else 0.0),
        HOSTILE_TEXT: rng.random(),
    }
    return row | ({} if number % 9 == 4 else {"late": x + 0.3 * z > 0})


def lived_world(folder: Path, **sections: dict[str, Any]) -> Lived:
    """Return a stream with drift, bad events, dead letters, a promotion and a run under way."""
    world = Lived(
        folder,
        monitor=MONITOR | {"segments": ("c",)},
        model={"pipeline": f"compose.Select('x', 'z') | {PIPELINE}"},
        retrain={"min_events": 50, "min_labels": 20, "rung": 10, "probation": 40},
        checkpoint={"min_interval": "50ms", "max_interval": "200ms"},
        **sections,
    )
    world.append(*(lived_event(number) for number in range(300)))
    world.work()
    bad = [lived_event(number) | {"x": "three", "late": None} for number in (300, 301)]
    world.append(*bad)
    world.append_bytes(b'{"broken')
    model = pickle.dumps(Learner(linear_model.LogisticRegression(), "binary"), 5)
    world.store.runs.ask("import", {"reason": "from the lab"}, "ops", 0.0, (model, None))
    world.append(*(lived_event(number) for number in range(302, 400)))
    world.work()
    return world


def wide_world(folder: Path, features: int = 500) -> World:
    """Return a stream with many features, of which three have shifted."""
    world = _plain(folder, "wide", "f0", warmup_events=200, pane_events=40)
    rng = random.Random(5)
    rows = []
    for number in range(1_600):
        row: dict[str, Any] = {"id": f"e{number}", "at": number * 1000, "late": rng.random() < 0.5}
        for feature in range(features):
            shift = 3.0 if number > 1_000 and feature < 3 else 0.0
            row[f"f{feature}"] = round(rng.gauss(0, 1) + shift, 6)
        rows.append(row)
    return _worked(world, rows)


def long_world(folder: Path, windows: int = 5_000) -> World:
    """Return a stream with one feature and many closed windows."""
    world = _plain(folder, "long", "x", warmup_events=100, pane_events=10)
    rng = random.Random(6)
    count = 100 + windows * 10
    rows = [
        {
            "id": f"e{number}",
            "at": number * 60_000,
            "x": rng.gauss(0, 1) + (2.0 if number > 0.9 * count else 0.0),
            "late": rng.random() < 0.5,
        }
        for number in range(count)
    ]
    return _worked(world, rows)


def empty_world(folder: Path) -> World:
    """Return a stream that no worker has read yet."""
    return World(folder, stream={"name": "empty"})


def divided_world(folder: Path) -> World:
    """Return a stream of four shards, one of which nobody works on while records wait."""
    world = World(
        folder,
        stream={"name": "divided", "shards": "partition"},
        topics={"partitions": 4},
        model={"task": "binary", "pipeline": f"compose.Select('x') | {PIPELINE}"},
        retrain={"enabled": False},
    )
    world.append(*({"x": 0.1, "late": n % 2 == 0, "at": n, "id": f"e{n}"} for n in range(200)))
    with opened_crew(world.config, Secrets(), "here", Untraced, until_caught_up=True) as opened:
        opened.crew.run(lambda: False, opened.is_read)
    world.append(*({"x": 0.1, "at": 1_000 + n, "id": f"f{n}"} for n in range(40)))
    with create_engine(world.config.stream.store).begin() as connection:
        old = update(checkpoints).where(checkpoints.c.shard == "2-of-4")
        connection.execute(old.values(created_at=checkpoints.c.created_at - 1_000))
    return world


def young_world(folder: Path) -> World:
    """Return a stream of numbers to predict, with a reference and no closed window."""
    world = _plain(folder, "young", "x", warmup_events=100, pane_events=1_000, **_REGRESSION)
    return _worked(world, _numbers(150))


def off_world(folder: Path) -> World:
    """Return a stream whose monitor is switched off."""
    world = _plain(folder, "off", "x", enabled=False, **_REGRESSION)
    return _worked(world, _numbers(60))


_REGRESSION: dict[str, Any] = {"task": "regression", "last": "linear_model.LinearRegression()"}


def _numbers(count: int) -> list[dict[str, Any]]:
    rng = random.Random(7)
    return [
        {"id": f"e{n}", "at": n * 1000, "x": rng.gauss(0, 1), "late": 3.5 * rng.random()}
        for n in range(count)
    ]


def _plain(
    folder: Path,
    name: str,
    feature: str,
    *,
    task: str = "binary",
    last: str = "linear_model.LogisticRegression()",
    **monitor: Any,
) -> World:
    pipeline = f"compose.Select('{feature}') | preprocessing.StandardScaler() | {last}"
    return World(
        folder,
        stream={"name": name},
        monitor=MONITOR | {"spans": (1, 2)} | monitor,
        model={"task": task, "pipeline": pipeline},
        retrain={"enabled": False},
    )


def _worked(world: World, rows: list[dict[str, Any]]) -> World:
    for at in range(0, len(rows), 2_000):
        world.append(*rows[at : at + 2_000])
    world.work()
    return world
