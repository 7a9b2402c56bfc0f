"""A soak: worker and API for minutes or days, with faults; memory, handles, store and answers.

``python -m tests.faults.soak --minutes 5``. Prints a table, writes JSON, and leaves with 1 where
something grows or was lost.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from threading import Event, Thread

import httpx

from stream.storage.recent import SIGHTINGS_KEPT
from stream.storage.runs import KEPT_RUNS
from tests.faults.programs import Asked, Program, read_so_far, wait_for
from tests.faults.promises import Record
from tests.faults.scene import Scene
from tests.lines import SMALL_MONITOR, event, new_records, truth

ASKED = 1 << 40
"""Numbers of the events that the client asks about begin here."""

SECTIONS = {
    "labels": {"max_delay": "1h", "max_pending": 2_000},
    "event": {"dedup_window": 2_000, "max_future": "3650d"},
    "checkpoint": {"min_interval": "200ms", "max_interval": "1s"},
    "monitor": SMALL_MONITOR | {"pane_events": 40, "panes_kept": 64},
    "predictions": {"keep": 1_000},
    "api": {"remembered": 1_000},
    "model": {"pipeline": "preprocessing.StandardScaler() | linear_model.LogisticRegression()",
              "factory": None},
    "dead_letters": {"max_share": 1.0},
}  # fmt: skip
"""Everything that is kept is so small that its limit is reached within the first minute."""

KEPT = {
    "panes": 64,
    "checkpoints": 3,
    "checkpoint_parts": 60,
    "checkpoint_chunks": 400,
    "predictions": 400,
    "sightings": SIGHTINGS_KEPT + 1,
    "label_conflicts": 10_100,
    "run_changes": 4 * KEPT_RUNS,
    "happenings": 10_100,
}
"""Rows of each table that its retention allows; those of ``predictions`` are of many each, and
``sightings`` are the anomalies."""


@dataclass
class Sample:
    """What was seen at one moment; sizes in bytes, seconds of the slowest of twenty answers."""

    at: float
    memory: dict[str, int]
    handles: dict[str, int]
    store: int
    answer_seconds: float
    rows: dict[str, int] = field(default_factory=dict)


class Soak:
    """One run.

    Parameters
    ----------
    scene
        The stream.
    folder
        For configuration and logs.
    rate
        Labelled events a second.
    """

    def __init__(self, scene: Scene, folder: Path, rate: int) -> None:
        self.made = 0
        self.samples: list[Sample] = []
        self.faults: dict[str, int] = {}
        self._scene, self._folder, self._rate = scene, folder, rate
        self._asked = Asked(scene)
        self._answers: list[float] = []
        self._number = ASKED
        self._random = random.Random(1)
        self._programs: dict[str, Program] = {}
        self._since: dict[str, float] = {}

    def run(self, seconds: float, fault_every: float) -> None:
        """Let it work for so long, with a fault now and then."""
        stop = Event()
        producing = Thread(target=self._produce, args=(stop,))
        try:
            for name in ("worker", "api"):
                self._start(name)
            producing.start()
            wait_for(self._asked.is_ready, "the API", *self._programs.values())
            end, fault_at = time.monotonic() + seconds, time.monotonic() + fault_every
            while time.monotonic() < end:
                self._ask()
                self._sample()
                if time.monotonic() > fault_at:
                    self._break()
                    fault_at = time.monotonic() + fault_every
                time.sleep(0.5)
            stop.set()
            producing.join()
            self._finish()
        finally:
            stop.set()
            for program in self._programs.values():
                program.kill()

    def _start(self, name: str) -> None:
        self._programs[name] = Program(self._scene, self._folder, name)
        self._since.pop(name, None)

    def _finish(self) -> None:
        for name, program in self._programs.items():
            # Told to stop before it could listen for that, it ends as cleanly as any.
            code = program.terminate()
            assert code in (0, -signal.SIGTERM), f"{name}: {program.said[-2_000:]}"
        last = Program(self._scene, self._folder, "worker", "--until-caught-up")
        assert last.process.wait(3_600) == 0, last.said[-2_000:]

    def _produce(self, stop: Event) -> None:
        config = self._scene.config
        began = time.monotonic()
        while not stop.wait(0.1):
            due = int((time.monotonic() - began) * self._rate)
            # The feature that the ledger of other tests knows events by is drawn anew for each.
            rows = [event(n, truth(n)) for n in range(self.made, min(due, self.made + 2_000))]
            self._scene.produce(new_records(config.events_topic, rows))
            self.made += len(rows)

    def _ask(self) -> None:
        for _ in range(20):
            started = time.monotonic()
            try:
                answer = self._asked.predict(event(self._number) | {"t": self.made * 1_000})
            except httpx.TransportError:
                continue
            if answer.status_code == 200:
                self._answers.append(time.monotonic() - started)
                self._number += 1

    def _sample(self) -> None:
        alive = {name: self._programs[name].process.pid for name in self._settled()}
        try:
            memory = {name: resident(pid) for name, pid in alive.items()}
            handles = {n: len(list(Path(f"/proc/{pid}/fd").iterdir())) for n, pid in alive.items()}
        except OSError:
            return
        slowest = max(self._answers[-20:], default=0.0)
        path = self._scene.store_url.removeprefix("sqlite:///")
        size = Path(path).stat().st_size
        self.samples.append(Sample(time.monotonic(), memory, handles, size, slowest, rows_of(path)))

    def _settled(self) -> list[str]:
        """Return the processes that have worked for five seconds since they were up."""
        now = time.monotonic()
        if "started" in self._programs["worker"].said:
            self._since.setdefault("worker", now)
        if "api" in self._since or self._asked.is_ready():
            self._since.setdefault("api", now)
        return [name for name, since in self._since.items() if now - since > 5]

    def _break(self) -> None:
        kind = self._random.choice(["kill worker", "kill api", "stop worker", "poison"])
        self.faults[kind] = self.faults.get(kind, 0) + 1
        what, _, name = kind.partition(" ")
        if what == "kill":
            self._programs[name].kill()
            self._start(name)
        elif what == "stop":
            self._programs[name].signal(signal.SIGSTOP)
            time.sleep(2)
            self._programs[name].signal(signal.SIGCONT)
        else:
            poison = new_records(self._scene.config.events_topic, [b"\xff{", {"a": [1]}, b""])
            self._scene.produce(poison * 20)


def resident(pid: int) -> int:
    """Return the memory in use by a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4_096


def rows_of(path: str) -> dict[str, int]:
    """Return how many rows each table of retention has."""
    with closing(sqlite3.connect(path, timeout=30)) as file:
        return {table: file.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                for table in KEPT}  # fmt: skip


@dataclass
class Verdict:
    """One quantity: its medians in the second and the last third, and what it may grow to."""

    name: str
    before: float
    after: float
    allowed: float

    @property
    def grows(self) -> bool:
        """Whether it is more than allowed."""
        return self.after > self.allowed


def judge(samples: list[Sample]) -> list[Verdict]:
    """Compare the last third of a run with the second; the first one is for filling up."""
    third = len(samples) // 3
    middle, last = samples[third : 2 * third], samples[2 * third :]

    def verdict(
        name: str, of: Callable[[Sample], float | None], share: float, more: float
    ) -> Verdict:
        before, after = ([v for s in part if (v := of(s)) is not None] for part in (middle, last))
        was = median(before) if before else 0.0
        return Verdict(name, was, median(after) if after else 0.0, was * share + more)

    mib = 1 << 20
    found = [
        verdict("store MiB", lambda s: s.store / mib, 1.25, 1.0),
        verdict("slowest answer of 20, ms", lambda s: s.answer_seconds * 1_000, 3.0, 200.0),
    ]
    for name in ("worker", "api"):
        found += [
            verdict(
                f"{name} memory MiB",
                lambda s, n=name: s.memory[n] / mib if n in s.memory else None,
                1.15,
                24.0,
            ),
            verdict(f"{name} handles", lambda s, n=name: s.handles.get(n), 1.0, 6.0),
        ]
    rows = samples[-1].rows
    found += [Verdict(f"rows of {table}", 0.0, rows[table], KEPT[table]) for table in rows]
    return found


def main(arguments: list[str]) -> int:
    """Run a soak; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--rate", type=int, default=300, help="events a second")
    parser.add_argument("--fault-every", type=float, default=10.0, help="seconds")
    parser.add_argument("--broker", help="such as kafka://127.0.0.1:9092; default: embedded")
    parser.add_argument("--json", type=Path, help="where the result is written")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = chosen.broker or f"sqlite:///{folder / 'log.db'}"
        store, record = f"sqlite:///{folder / 'store.db'}", Record(["learned_once"])
        scene = Scene(broker, store, folder, record, events=0, **SECTIONS)
        soak = Soak(scene, folder, chosen.rate)
        soak.run(chosen.minutes * 60, chosen.fault_every)
        found = judge(soak.samples)
        status = scene.store().newest().status  # type: ignore[union-attr]
        learned = status["counts"]["learned"]
        same = True
        if chosen.minutes <= 60:  # an offline replay holds the whole log in memory
            replayed = scene.replay().line
            same = (replayed.counts.learned, read_so_far(scene)) == (
                learned,
                replayed.counts.events + replayed.counts.label_messages,
            )
    say(found, soak)
    print(f"produced {soak.made:,} labelled events, learned {learned:,}; as replayed: {same}")
    if chosen.json:
        result = {
            "minutes": chosen.minutes, "faults": soak.faults, "produced": soak.made,
            "learned": learned, "as_replayed": same,
            "quantities": [asdict(one) | {"grows": one.grows} for one in found],
        }  # fmt: skip
        chosen.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return int(any(one.grows for one in found) or learned != soak.made or not same)


def say(found: list[Verdict], soak: Soak) -> None:
    """Print the table."""
    print("faults: " + ", ".join(f"{kind} {count}" for kind, count in soak.faults.items()))
    row = "{:<28}{:>12}{:>12}{:>12}  {}"
    print(row.format("", "2nd third", "last third", "allowed", ""))
    for one in found:
        figures = (f"{value:,.1f}" for value in (one.before, one.after, one.allowed))
        print(row.format(one.name, *figures, "GROWS" if one.grows else ""))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
