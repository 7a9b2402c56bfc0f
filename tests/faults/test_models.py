"""Models that raise, say None or NaN, never end, and eat memory."""

from __future__ import annotations

import json
import signal
import time

import msgspec
import pytest

from stream.logs.open_log import open_log
from stream.process import resident_bytes
from tests.faults.oracle import read_all, source_of
from tests.faults.scene import Scene
from tests.lines import event, new_records, truth

pytestmark = pytest.mark.promise("models_fail_alone")

EVENTS = 600


def made(tmp_path, record, mood, **sections):
    """Return a stream whose model has a mood."""
    broker, store = f"sqlite:///{tmp_path / 'log.db'}", f"sqlite:///{tmp_path / 'store.db'}"
    model = {"factory": f"tests.faults.bad_models:{mood}"}
    scene = Scene(broker, store, tmp_path, record, events=0, model=model, **sections)
    rows = [event(number, truth(number), n=number) for number in range(EVENTS)]
    scene.produce(new_records(scene.config.events_topic, rows))
    return scene


def letters(scene):
    """Return the offsets of events that are dead letters, with their reasons."""
    log = open_log(scene.broker)
    found = {}
    for letter in read_all(log, scene.config.dead_letters_topic):
        headers = dict(letter.headers)
        reason = headers["__connect.errors.stage"], headers["__connect.errors.exception.message"]
        found[source_of(letter, "__connect.errors.")[2]] = reason
    log.close()
    return found


def test_a_model_that_raises_costs_the_events_it_raises_at(tmp_path, record):
    scene = made(tmp_path, record, "raises")
    assert scene.run(step="after_commit", times=5)[0] == -signal.SIGKILL
    assert scene.run()[0] == 0
    said = b"the model raised ValueError: no %b today"
    predict = dict.fromkeys(range(0, EVENTS, 50), (b"predict", said % b"predict"))
    learn = dict.fromkeys(range(25, EVENTS, 50), (b"learn", said % b"learn"))
    assert letters(scene) == predict | learn
    record.fault(len(predict) + len(learn) + 1)
    scene.assert_same_as_uninterrupted()
    assert len(scene.learned()) == EVENTS - len(predict) - len(learn)


@pytest.mark.parametrize("mood", ["none", "empty", "nan"])
def test_a_model_that_says_nothing_is_published_as_null_and_learned(tmp_path, record, mood):
    scene = made(tmp_path, record, mood)
    assert scene.run(step="after_commit", times=5)[0] == -signal.SIGKILL
    assert scene.run()[0] == 0
    log = open_log(scene.broker)
    said = {source_of(one, "riverrun-source-")[2]: msgspec.json.decode(one.value)
            for one in read_all(log, scene.config.predictions_topic)}  # fmt: skip
    log.close()
    silent = {number for number, one in said.items() if one["prediction"] is None}
    assert silent >= set(range(0, EVENTS, 50))
    assert all(said[number]["probabilities"] is None for number in silent)
    assert len(silent) < EVENTS / 4
    record.fault(EVENTS // 50 + 1)
    scene.assert_same_as_uninterrupted()
    assert len(scene.learned()) == EVENTS


def test_a_model_that_never_ends_is_named_and_mended_by_a_rebuild(tmp_path, record):
    scene = made(tmp_path, record, "never_ends", worker={"stuck_after": "2s"})
    started = time.monotonic()
    code, _ = scene.run()
    assert code == 4
    assert time.monotonic() - started < 90
    record.fault()
    store = scene.store()
    (halted,) = [row for row in store.happenings() if row["kind"] == "halted"]
    store.close()
    said = json.loads(json.dumps(halted["detail"]))["message"]
    assert f"{scene.config.events_topic}-0:25 for " in said
    assert "in _moody (bad_models.py, line " in said
    assert "start with --rebuild" in said
    scene.change_model("tests.faults.bad_models:well")
    code, errors = scene.run(rebuild=True)
    assert code == 0, errors
    record.fault()
    scene.assert_learned_anew("v2" if stored_before(scene) else "v1")
    assert len(scene.learned()) == EVENTS


def stored_before(scene):
    """Return whether anything was committed before the rebuild."""
    store = scene.store()
    version = store.newest().version
    store.close()
    return version == "v2"


def test_a_model_that_eats_memory_ends_the_worker_not_the_machine(tmp_path, record):
    limit = (resident_bytes() or 0) + (300 << 20)
    scene = made(tmp_path, record, "eats", worker={"max_memory": limit})
    code, _ = scene.run()
    assert code == 4
    record.fault()
    store = scene.store()
    said = [row for row in store.happenings() if row["kind"] == "halted"][-1]["detail"]["message"]
    store.close()
    assert said.startswith("the worker holds ")
    assert f"{scene.config.events_topic}-0:25" in said
    assert "more than worker.max_memory = " in said
    scene.change_model("tests.faults.bad_models:well")
    code, errors = scene.run(rebuild=True)
    assert code == 0, errors
    scene.assert_learned_anew("v2" if stored_before(scene) else "v1")
    assert len(scene.learned()) == EVENTS
