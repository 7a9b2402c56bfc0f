"""Whatever dies when, every event is learned from once: kill -9 at every step, on both logs."""

from __future__ import annotations

import signal

import pytest

pytestmark = pytest.mark.promise("learned_once")

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


@pytest.fixture
def scene(scene_of):
    """Return a produced stream on each log."""
    return scene_of()


def test_killed_at_every_step_of_the_commit(scene, record):
    for step, times in STEPS:
        code, errors = scene.run(step=step, times=times)
        assert code == -signal.SIGKILL, errors or "the log was too short: a step was not reached"
        record.fault()
    code, errors = scene.run()
    assert code == 0, errors
    scene.assert_same_as_uninterrupted()
