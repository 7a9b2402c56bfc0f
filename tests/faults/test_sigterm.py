"""SIGTERM in every stage: the process ends within its grace, with nothing lost."""

from __future__ import annotations

import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from stream.logs.open_log import open_log
from tests.faults.oracle import read_all, read_source, said_of
from tests.faults.programs import Asked, Program, wait_for
from tests.faults.scene import ONE_RUN, Scene
from tests.lines import event, new_records, truth

pytestmark = pytest.mark.promise("stops_clean")

GRACE = 30
"""Seconds: what Kubernetes and ``riverrun up`` give a process."""

STAGES = [
    ("before_claim", 1),
    ("after_claim", 1),
    ("before_poll", 1),
    ("after_poll", 3),
    ("before_predict", 100),
    ("after_handle", 2),
    ("before_append", 2),
    ("after_append", 3),
    ("before_flush", 2),
    ("before_commit", 2),
    ("statement", 30),
    ("transaction_end", 3),
    ("after_commit", 2),
    ("before_copying_offsets", 2),
]
RUN_STAGES = [
    ("before_begin_training", 1),
    ("after_tell_training", 1),
    ("before_candidates", 1),
    ("after_candidates", 1),
    ("after_forget_training", 1),
]


@pytest.fixture
def scene(scene_of):
    return scene_of()


@pytest.fixture
def run_scene(tmp_path, record):
    """Return a stream whose labels begin one run."""
    broker, store = f"sqlite:///{tmp_path / 'log.db'}", f"sqlite:///{tmp_path / 'store.db'}"
    scene = Scene(broker, store, tmp_path, record, events=0, retrain=ONE_RUN)
    rows = [event(number, truth(number)) for number in range(1_500)]
    scene.produce(new_records(scene.config.events_topic, rows))
    return scene


def stop_at(scene, step, times, **arguments):
    """Run a worker that sends itself SIGTERM at a step; it has to leave cleanly in its grace."""
    started = time.monotonic()
    process = scene.start(step=step, times=times, signal=signal.SIGTERM, **arguments)
    code, errors = scene.end(process, 120)
    assert code == 0, (step, errors)
    assert time.monotonic() - started < GRACE + 60, step  # with its start on a busy machine
    scene.record.fault()


def test_sigterm_in_a_stage_loses_nothing(scene):
    read, whole = -1, len(read_source(scene.broker, scene.config))
    for step, times in STAGES:
        stop_at(scene, step, times)
        store = scene.store()
        newest = store.newest()
        counts = newest.status["counts"]["read"] if newest else 0
        store.close()
        assert read <= counts < whole, f"{step} was not reached"
        read = counts
    code, errors = scene.run()
    assert code == 0, errors
    scene.assert_same_as_uninterrupted()


def test_sigterm_in_a_stage_of_a_retraining(run_scene):
    for step, times in RUN_STAGES:
        stop_at(run_scene, step, times)
    code, errors = run_scene.run()
    assert code == 0, errors
    store = run_scene.store()
    states = [change["state"] for change in reversed(store.runs.changes())]
    whole = ["training", "shadow", "promoted", "probation", "kept"]
    assert states == whole[: max(4, len(states))]
    assert store.newest().status["counts"]["learned"] == 1_500
    store.close()
    learned = run_scene.learned()
    numbers = {event(number)["a"]: number for number in range(1_500)}
    first = min(numbers[key] for key in learned)
    run_scene.record.compared({event(n)["a"]: 1 for n in range(first, 1_500)}, learned)


def test_sigterm_in_a_rebuild(scene):
    assert scene.run()[0] == 0
    for version, (step, times) in enumerate([("after_handle", 3), ("before_poll", 9)], start=2):
        stop_at(scene, step, times, rebuild=True)
        store = scene.store()
        # It has not passed what was committed before it: that is still what stands there.
        assert store.newest().version == "v1", version
        store.close()
    code, errors = scene.run(rebuild=True)
    assert code == 0, errors
    scene.assert_learned_anew("v2")


def test_sigterm_ends_up_with_all_that_it_started(tmp_path, record):
    broker, store = f"sqlite:///{tmp_path / 'log.db'}", f"sqlite:///{tmp_path / 'store.db'}"
    retrain = ONE_RUN | {"min_events": 1_000_000}  # it goes on for as long as it is let
    scene = Scene(broker, store, tmp_path, record, events=0, retrain=retrain)
    rows = [event(number, truth(number)) for number in range(1_500)]
    scene.produce(new_records(scene.config.events_topic, rows))
    asked = Asked(scene)
    up = Program(scene, tmp_path, "up")
    try:
        wait_for(asked.is_ready, "the API", up)
        wait_for(lambda: trains(scene), "a training", up)
        for number in range(10_000, 10_040):
            assert asked.predict(event(number)).status_code == 200
        started = time.monotonic()
        assert up.terminate() == 0, up.said
        assert time.monotonic() - started < GRACE + 30
        record.fault()
    finally:
        up.kill()
    assert processes_in(tmp_path) == []
    assert "Traceback" not in up.said
    worker = Program(scene, tmp_path, "worker", "--until-caught-up")
    assert worker.end() == 0, worker.said
    log = open_log(broker)
    published = [said_of(one)["id"] for one in read_all(log, scene.config.predictions_topic)]
    log.close()
    wanted = [*range(1_500), *range(10_000, 10_040)]
    record.compared({f"e{number}": 1 for number in wanted}, dict.fromkeys(published, 1))
    found = scene.store()
    assert found.newest().status["counts"]["learned"] == 1_500
    assert found.newest().status["counts"]["served"] == 40
    found.close()


def trains(scene):
    """Return whether a training has told how far it is."""
    store = scene.store()
    training = store.runs.training(1)
    store.close()
    return training is not None and training.progress


def processes_in(folder):
    """Return the processes that run in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cwd").resolve() == folder.resolve():
                found.append((process / "cmdline").read_bytes())
    return found
