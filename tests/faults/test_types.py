"""Features whose types switch in the middle of a stream, and back."""

from __future__ import annotations

import random
import signal

import pytest

from tests.lines import event, new_records, truth

pytestmark = pytest.mark.promise("learned_once", "models_fail_alone")

SWITCHES = ["1.5", [1, 2], True, None, {"deep": 1}, 10**400, "", -0.0]


@pytest.fixture
def scene(scene_of):
    """Return a stream on each log in which the feature ``b`` changes its type each 60 events."""
    scene = scene_of(events=0, dead_letters={"max_share": 1.0, "window": 100})
    rng, rows = random.Random(4), []
    for number in range(1_500):
        turn = number // 60
        fields = {}
        if number > 300 and turn % 2 == 0 and rng.random() < (0.9 if turn % 4 else 0.3):
            fields["b"] = SWITCHES[(turn // 2) % len(SWITCHES)]
        rows.append(event(number, truth(number), **fields))
    scene.produce(new_records(scene.config.events_topic, rows))
    return scene


def test_types_that_switch_mid_stream_lose_nothing(scene, record):
    for times in (4, 11, 17):
        assert scene.run(step="after_handle", times=times)[0] == -signal.SIGKILL
        record.fault()
    code, errors = scene.run()
    assert code == 0, errors
    record.fault(len(SWITCHES))
    scene.assert_same_as_uninterrupted()
    store = scene.store()
    status = store.newest().status
    kinds = {kind for kind, in_error in status["dead_letter_reasons"].items() if in_error}
    store.close()
    counts = status["counts"]
    assert counts["events"] == 1_500
    assert counts["learned"] + counts["unlearned"] + counts["dead_lettered"] == 1_500
    assert counts["dead_lettered"] > 100, status["dead_letter_reasons"]
    assert all("/" in kind for kind in kinds)
    assert counts["learned"] > 700
