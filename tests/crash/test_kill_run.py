"""A retraining run that is killed in any stage comes to the same decision, once."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time

import pytest

from stream.logs.open_log import open_log
from stream.storage.store import Store
from tests.crash import victim
from tests.lines import event, make_config, new_records, truth

EVENTS = 1_500
RETRAIN = {
    "labels": 400,
    "drift": False,
    "skew": False,
    "performance": False,
    "max_per_day": 1,
    "min_events": 50,
    "min_labels": 60,
    "max_labels": 800,
    "probation": 200,
}
STAGES = [
    ("before_begin_training", 1),
    ("after_begin_training", 1),
    ("before_tell_training", 1),
    ("after_tell_training", 1),
    ("before_candidates", 1),
    ("after_candidates", 1),
    ("before_forget_training", 1),
    ("after_forget_training", 1),
    ("transaction_end", 60),
    ("transaction_end", 45),
]
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.crash.victim", "river.linear_model", "river.metrics"])


class Scene:
    """One stream on a log, whose labels begin one run."""

    def __init__(self, broker, tmp_path):
        self.name = f"run-{os.getpid()}-{random.randrange(10**9)}"
        self.broker, self.errors = broker, tmp_path / "errors"
        self.store_url = f"sqlite:///{tmp_path / 'store.db'}"
        config = make_config(stream={"name": self.name})
        log = open_log(broker)
        log.create_topics(dict.fromkeys(config.topic_names, 1))
        sink = log.sink()
        rows = [event(number, truth(number)) for number in range(EVENTS)]
        sink.append(new_records(config.events_topic, rows))
        sink.flush()
        log.close()

    def start(self, **arguments):
        arguments |= {"broker": self.broker, "store": self.store_url, "name": self.name}
        arguments["retrain"] = RETRAIN
        process = PROCESSES.Process(target=victim.main, args=(arguments, str(self.errors)))
        process.start()
        return process

    def end(self, process):
        process.join(60)
        assert process.exitcode is not None, "it did not end"
        return process.exitcode

    def assert_decided_once(self):
        store = Store(self.store_url, self.name)
        states = [change["state"] for change in reversed(store.runs.changes())]
        whole = ["training", "shadow", "promoted", "probation", "kept"]
        assert states == whole[: max(4, len(states))]  # the log may end in the probation
        assert store.newest().version == "v2"
        assert [row["version"] for row in store.versions()] == ["v1", "v2"]
        status = store.newest().status
        assert status["counts"]["learned"] == EVENTS
        assert [stored.row.index for stored in store.history.panes()][-1] == 0


@pytest.fixture(params=["sqlite", "kafka"])
def scene(request, tmp_path):
    if request.param == "sqlite":
        return Scene(f"sqlite:///{tmp_path / 'log.db'}", tmp_path)
    return Scene(request.getfixturevalue("kafka_broker").url, tmp_path)


@pytest.mark.parametrize(("step", "times"), STAGES)
def test_killed_in_a_stage(scene, step, times):
    assert scene.end(scene.start(step=step, times=times)) == -signal.SIGKILL
    assert scene.end(scene.start()) == 0
    scene.assert_decided_once()


def test_killed_at_random(scene):
    rng, killed = random.Random(3), 0
    for _ in range(5):
        process = scene.start(slow=0.02)
        time.sleep(0.5 + rng.random())
        process.kill()
        killed += scene.end(process) == -signal.SIGKILL
    assert killed >= 2
    assert scene.end(scene.start()) == 0
    scene.assert_decided_once()
