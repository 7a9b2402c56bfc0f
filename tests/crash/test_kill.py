"""Whatever dies when, every event is learned from once: kill -9 at every step, on both logs."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import msgspec
import pytest

from serve.api.recent.kept import KeptPredictions
from stream.digest import state_digest
from stream.log import Log
from stream.logs.open_log import open_log
from stream.storage.store import Store
from tests.crash import victim
from tests.lines import SMALL_MONITOR, interleaved, make_config, make_line

EVENTS = 2_500

# A server that has imported everything forks the workers: River alone takes a second to import.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.crash.victim", "river.linear_model", "river.metrics"])

# A commit is some twenty statements; the first sixty cover two of them, start-up included.
STEPS = [
    ("after_claim", 1),
    ("after_poll", 1),
    ("before_handle", 3),
    ("after_handle", 1),
    ("before_append", 2),
    ("after_append", 1),
    ("before_flush", 2),
    ("after_flush", 1),
    ("before_commit", 2),
    *[("statement", n) for n in range(1, 60, 3)],
    ("transaction_end", 2),
    ("transaction_end", 5),
    ("after_commit", 1),
    ("after_commit", 3),
    ("before_copying_offsets", 1),
    ("after_copying_offsets", 2),
]


class Scene:
    """One stream on one log, with what an uninterrupted run makes of it."""

    def __init__(self, broker: str, tmp_path: Path, name: str) -> None:
        self.name, self.broker = name, broker
        self.errors = tmp_path / "errors"
        self.store_url = f"sqlite:///{tmp_path / 'store.db'}"
        self.config = make_config(
            stream={"name": name},
            labels={"max_delay": "20s"},
            monitor=SMALL_MONITOR,
            retrain={"enabled": False},
        )
        log = open_log(broker)
        log.create_topics(dict.fromkeys(self.config.topic_names, 1))
        sink = log.sink()
        sink.append(
            interleaved(EVENTS, topics=(self.config.events_topic, self.config.labels_topic))
        )
        sink.flush()
        self.reference = make_line(self.config)
        source = log.source([self.config.events_topic, self.config.labels_topic])
        self.records = []
        while records := source.poll(1_000, 2.0):
            self.records += records
        step = self.reference.handle(self.records, 0)
        self.panes = [found.pane for _, found in step.findings if found.kind == "pane"]
        self.predicted = {row.record.offset: row for row in step.predictions}
        self.dead = {(d.record.topic, d.record.offset) for d in step.dead_letters}
        log.close()

    def start(self, **arguments):
        """Start a worker in a process of its own."""
        arguments |= {"broker": self.broker, "store": self.store_url, "name": self.name}
        process = PROCESSES.Process(target=victim.main, args=(arguments, str(self.errors)))
        process.start()
        return process

    def end(self, process) -> tuple[int, str]:
        """Wait for a worker's end; return its exit code and what it said."""
        process.join(60)
        assert process.exitcode is not None, "it did not end"
        return process.exitcode, self.errors.read_text() if self.errors.exists() else ""

    def run(self, **arguments) -> tuple[int, str]:
        """Run a worker to its end."""
        return self.end(self.start(**arguments))

    def assert_same_as_uninterrupted(self) -> None:
        """Compare digest, counts, predictions and dead letters with the uninterrupted run."""
        store = Store(self.store_url, self.name)
        status = store.newest().status
        assert status["counts"]["events"] == self.reference.counts.events
        assert status["counts"]["learned"] == self.reference.counts.learned
        assert status["state_digest"] == state_digest(self.reference)
        assert [stored.row for stored in reversed(store.history.panes())] == self.panes
        self._assert_kept(store)
        log = open_log(self.broker)
        try:
            self._assert_published(log)
        finally:
            log.close()

    def _assert_kept(self, store: Store) -> None:
        """Compare what is kept for people to look at: each prediction once, with its label."""
        kept = KeptPredictions(store, self.config).view()
        wanted = [(row.id, row.served.prediction) for row in self.predicted.values()]
        assert list(kept.known) == list(range(1, len(wanted) + 1))
        known = kept.known.values()
        assert [(one.said.id, one.said.prediction) for one in known] == wanted
        settled = self.reference.settled
        labels = [settled.label(key) if key in settled else None for key, _ in wanted]
        assert [one.label for one in known] == labels
        assert sum(one.is_settled for one in known) == sum(key in settled for key, _ in wanted)

    def _assert_published(self, log: Log) -> None:
        seen = {}
        for record in read_all(log, self.config.predictions_topic):
            offset = int(dict(record.headers)["riverrun-source-offset"])
            value = msgspec.json.decode(record.value)
            del value["latency_ms"]
            assert seen.setdefault(offset, value) == value, "a repeat says something else"
        assert set(seen) == set(self.predicted)
        for offset, row in self.predicted.items():
            probability = seen[offset]["probabilities"]["true"]
            assert probability == row.served.prediction
        letters = set()
        for record in read_all(log, self.config.dead_letters_topic):
            headers = dict(record.headers)
            place = headers["__connect.errors.topic"], headers["__connect.errors.offset"]
            letters.add((place[0].decode(), int(place[1])))
        assert letters == self.dead


def read_all(log: Log, topic: str):
    """Return every record of a topic."""
    source, found = log.source([topic]), []
    while records := source.poll(2_000, 1.0):
        found += records
    source.close()
    return found


@pytest.fixture(params=["sqlite", "kafka"])
def scene(request, tmp_path):
    """Return a produced stream on each log."""
    if request.param == "sqlite":
        broker = f"sqlite:///{tmp_path / 'log.db'}"
    else:
        broker = request.getfixturevalue("kafka_broker").url
    return Scene(broker, tmp_path, f"crash-{os.getpid()}-{random.randrange(10**9)}")


def test_killed_at_every_step_of_the_commit(scene):
    killed = 0
    for step, times in STEPS:
        code, errors = scene.run(step=step, times=times)
        assert code in (-signal.SIGKILL, 0), errors
        killed += code == -signal.SIGKILL
    code, errors = scene.run()
    assert code == 0, errors
    assert killed == len(STEPS), "the log was too short: some step was not reached"
    scene.assert_same_as_uninterrupted()


def test_killed_at_random(scene):
    rng = random.Random(7)
    killed = 0
    for _ in range(8):
        process = scene.start(slow=0.02)
        time.sleep(0.2 + 0.5 * rng.random())
        process.kill()
        code, _ = scene.end(process)
        killed += code == -signal.SIGKILL
    assert killed >= 5
    code, errors = scene.run()
    assert code == 0, errors
    scene.assert_same_as_uninterrupted()


def test_of_two_workers_the_older_one_changes_nothing(scene):
    frozen = scene.start(slow=0.05)
    store = Store(scene.store_url, scene.name)
    deadline = time.monotonic() + 30
    while (store.newest() is None or store.newest().number < 3) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(frozen.pid, signal.SIGSTOP)
    code, errors = scene.run()
    assert code == 0, errors
    before = store.newest()
    os.kill(frozen.pid, signal.SIGCONT)
    code, errors = scene.end(frozen)
    assert code == 4, errors
    assert "another worker took over" in errors
    assert store.newest() == before
    scene.assert_same_as_uninterrupted()
