"""What is lost and what is learned twice when the process is killed, and how long it is away.

The model counts how often it learned from each event (`programs/ledger.py`), and is kept by
whatever the contestant keeps its model by. `kill -9` comes three times, each after a quarter of the
events has come out; it is started again at once, reads to the end, and is stopped in order.
Checkpoints are every half a second where that can be set. Predictions are counted as a reader of
committed records sees them. Who reads as a member of a consumer group comes back when the broker
has given up the killed one: after the session's timeout, here 6 s, 45 s by the clients' default.
"""

from __future__ import annotations

import json
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.peers.contestants import PROGRAMS, RIVERRUN, Contestant, Task, started
from benchmarks.peers.topics import StalledError, Tail, Topics
from benchmarks.streams import rows

SESSION_MS = 6_000
"""The least that a broker takes by default."""

_KILLS = 3
_PATIENCE_SECONDS = 240.0


def compare(topics: Topics, contestants: list[Contestant], count: int) -> list[dict[str, Any]]:
    """Return a row for each contestant that keeps anything.

    Parameters
    ----------
    topics
        Of the broker.
    contestants
        Those that are installed.
    count
        Events of the fastest.
    """
    name = f"killed-{time.time_ns()}"
    topics.create(f"{name}.events")
    topics.fill(f"{name}.events", (row | {"n": number} for number, row in enumerate(rows(count))))
    table = []
    for index, who in enumerate(one for one in contestants if one.is_killed):
        # What pickles a growing ledger with each event gets as many as that leaves time for.
        size = min(count, 4_000) if who.saving in ("state", "table") else count // who.slower
        events = f"{name}.events"
        if size < count:
            events = f"{name}-{index}.events"
            topics.create(events)
            made = (row | {"n": number} for number, row in enumerate(rows(size)))
            topics.fill(events, made)
        try:
            found = _killed(topics, who, events, f"{name}-{index}", size)
        except StalledError as error:
            sys.stderr.write(f"{who.title} is left out: {error}\n")
            continue
        sys.stderr.write(f"{who.title}: {found}\n")
        table.append({"who": who.title} | found)
    return table


def _killed(topics: Topics, who: Contestant, events: str, group: str, count: int) -> dict[str, Any]:
    predictions = f"{group}.predictions"
    topics.create(predictions)
    if who.program == RIVERRUN:
        topics.create(f"{group}.labels", f"{group}.dead-letters")
    tail, away = Tail(topics.broker, predictions), []
    with tempfile.TemporaryDirectory() as name:
        task = Task(
            topics.broker, events, predictions, group, Path(name), "ledger", 0.5, SESSION_MS
        )
        for run in range(_KILLS + 1):
            began, before = time.monotonic(), topics.end(predictions)
            with started(who, task) as process:

                def is_alive(process: Any = process) -> bool:
                    return process.poll() is None

                topics.wait(predictions, before + 1, is_alive)
                if run:
                    away.append(time.monotonic() - began)
                if run < _KILLS:
                    topics.wait(predictions, before + count // 4, is_alive)
                    process.send_signal(signal.SIGKILL)
                    process.wait()
                else:
                    _read_to_the_end(tail, f"event-{count - 1}", is_alive)
        learned = _ledger(who, task)
    tail.read(1.0)
    tail.close()
    said = Counter(tail.ids)
    return {
        "events": count,
        "never_learned": sum(learned.get(number, 0) == 0 for number in range(count)),
        "learned_twice": sum(times > 1 for times in learned.values()),
        "predictions_missing": count - len(said),
        "predictions_repeated": sum(times > 1 for times in said.values()),
        "seconds_away": round(median(away), 1),
    }


def _read_to_the_end(tail: Tail, last: str, is_alive: Any) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while last not in tail.seen:
        tail.read(0.2)
        if not is_alive() or time.monotonic() > deadline:
            raise StalledError(f"the prediction of {last} did not come")


def _ledger(who: Contestant, task: Task) -> dict[int, int]:
    if who.program != RIVERRUN:
        path = task.folder / "ledger.json"
        if not path.exists():
            log = (task.folder / "program.log").read_text(errors="replace")
            raise StalledError(f"{who.title} ended without its ledger\n{log[-3000:]}")
        told = json.loads(path.read_text())
        return {int(number): times for number, times in told.items()}
    from serve.stored_model import load_stored

    if str(PROGRAMS) not in sys.path:
        sys.path.append(str(PROGRAMS))  # where the model's class is
    model = load_stored(f"sqlite:///{task.folder}/store.db", task.group, None, None).learner.model
    return dict(model.learned)
