"""A retraining run that is killed in any stage comes to the same decision, once."""

from __future__ import annotations

import random
import signal
import time

import pytest

from stream.build import line_factory
from stream.snapshot import restore
from tests.faults.oracle import learned_by
from tests.faults.scene import ONE_RUN
from tests.lines import event, new_records, truth

pytestmark = pytest.mark.promise("runs_once")

EVENTS = 1_500
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


@pytest.fixture
def scene(scene_of):
    """Return a stream on each log, whose labels begin one run."""
    scene = scene_of(events=0, retrain=ONE_RUN)
    rows = [event(number, truth(number)) for number in range(EVENTS)]
    scene.produce(new_records(scene.config.events_topic, rows))
    return scene


def assert_decided_once(scene):
    store = scene.store()
    states = [change["state"] for change in reversed(store.runs.changes())]
    whole = ["training", "shadow", "promoted", "probation", "kept"]
    assert states == whole[: max(4, len(states))]  # the log may end in the probation
    assert store.newest().version == "v2"
    assert [row["version"] for row in store.versions()] == ["v1", "v2"]
    assert store.newest().status["counts"]["learned"] == EVENTS
    assert [stored.row.index for stored in store.history.panes()][-1] == 0
    found = line_factory(scene.config)("v2")
    restore(found, *store.load(store.newest()))
    # The new model learned what its training chose of the past, and from there on everything.
    learned = learned_by(found)
    numbers = {event(number)["a"]: number for number in range(EVENTS)}
    first = min(numbers[key] for key in learned)
    scene.record.compared({event(n)["a"]: 1 for n in range(first, EVENTS)}, learned)
    assert EVENTS - first >= ONE_RUN["min_events"]
    store.close()


@pytest.mark.parametrize(("step", "times"), STAGES)
def test_killed_in_a_stage(scene, record, step, times):
    assert scene.run(step=step, times=times)[0] == -signal.SIGKILL
    record.fault()
    assert scene.run()[0] == 0
    assert_decided_once(scene)


def test_a_run_that_is_killed_at_random(scene, record):
    rng = random.Random(3)
    for _ in range(4):
        process = scene.start(slow=0.02)
        time.sleep(0.3 + rng.random())
        process.kill()
        record.fault(scene.end(process)[0] == -signal.SIGKILL)
    assert scene.run()[0] == 0
    assert_decided_once(scene)
