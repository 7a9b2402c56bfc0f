"""A training that never ends, or eats memory, fails its run; the stream goes on meanwhile."""

from __future__ import annotations

import pytest

from tests.faults.programs import Program, read_so_far, wait_for
from tests.faults.scene import ONE_RUN, Scene
from tests.lines import event, new_records, truth

pytestmark = pytest.mark.promise("models_fail_alone")

EVENTS = 600


def produce(scene, start, end):
    rows = [event(number, truth(number), n=number) for number in range(start, end)]
    scene.produce(new_records(scene.config.events_topic, rows))


def failures(scene):
    """Return why runs failed, in a sentence each."""
    store = scene.store()
    found = [row["sentence"] for row in store.runs.changes() if row["state"] == "failed"]
    store.close()
    return found


@pytest.mark.parametrize(
    ("mood", "limits", "said"),
    [
        (
            "trains_for_ever",
            {"stuck_after": "8s"},
            ("in _moody (bad_models.py, line ", "(worker.stuck_after)", "Mend the candidate"),
        ),
        (
            "trains_and_eats",
            {"max_memory": "700MiB"},
            ("the training holds ", "more than worker.max_memory = 700MiB"),
        ),
        pytest.param(
            "trains_and_holds_on",
            {"stuck_after": "8s"},
            ("it gave no sign of life for ", "(worker.stuck_after)"),
            marks=pytest.mark.slow_fault,
        ),
    ],
)
def test_a_training_that_goes_wrong_fails_its_run_alone(tmp_path, record, mood, limits, said):
    broker, store = f"sqlite:///{tmp_path / 'log.db'}", f"sqlite:///{tmp_path / 'store.db'}"
    model = {"factory": f"tests.faults.bad_models:{mood}"}
    sections = {"model": model, "worker": limits, "retrain": ONE_RUN}
    scene = Scene(broker, store, tmp_path, record, events=0, **sections)
    produce(scene, 0, EVENTS)
    worker = Program(scene, tmp_path, "worker")
    try:
        wait_for(lambda: failures(scene), "the end of the run", worker)
        record.fault()
        produce(scene, EVENTS, EVENTS + 100)
        wait_for(lambda: read_so_far(scene) == EVENTS + 100, "what came then", worker)
        assert worker.terminate() == 0, worker.said
    finally:
        worker.kill()
    (reason,) = failures(scene)
    assert "The training failed: " in reason
    for part in said:
        assert part in reason
    assert "halted" not in worker.said
    found = scene.store()
    assert [row["version"] for row in found.versions()] == ["v1"]
    found.close()
    numbers = range(EVENTS + 100)
    record.compared({event(number)["a"]: 1 for number in numbers}, scene.learned())
    record.assert_nothing_lost()
