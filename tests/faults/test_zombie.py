"""A worker that is stopped for longer than anybody waits, and then goes on as if nothing were."""

from __future__ import annotations

import os
import signal
import time

import pytest

from tests.faults.scene import Scene

LONG = 60
"""Seconds that are more than Kafka's longest default of a session, 45."""


@pytest.fixture(params=["sqlite", "kafka"])
def scene(request, tmp_path, record):
    """Return a produced stream on each log."""
    if request.param == "sqlite":
        broker = f"sqlite:///{tmp_path / 'log.db'}"
    else:
        broker = request.getfixturevalue("kafka_broker").url
    return Scene(broker, f"sqlite:///{tmp_path / 'store.db'}", tmp_path, record)


def stopped(scene):
    """Return a worker in the middle of its work that is stopped."""
    process, store = scene.start(slow=0.05), scene.store()
    deadline = time.monotonic() + 120
    while store.newest() is None or store.newest().number < 3:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    store.close()
    os.kill(process.pid, signal.SIGSTOP)
    scene.record.fault()
    return process


@pytest.mark.promise("fenced")
@pytest.mark.parametrize("seconds", [0, pytest.param(LONG, marks=pytest.mark.slow_fault)])
def test_a_zombie_that_was_succeeded_changes_nothing(scene, seconds):
    zombie = stopped(scene)
    code, errors = scene.run()
    assert code == 0, errors
    time.sleep(seconds)
    store = scene.store()
    before = store.newest()
    os.kill(zombie.pid, signal.SIGCONT)
    code, errors = scene.end(zombie)
    assert code == 4, errors
    assert "another worker took over" in errors
    assert store.newest() == before
    store.close()
    scene.assert_same_as_uninterrupted()


@pytest.mark.promise("learned_once")
@pytest.mark.parametrize("seconds", [12, pytest.param(LONG, marks=pytest.mark.slow_fault)])
def test_a_zombie_without_a_successor_goes_on(scene, seconds):
    zombie = stopped(scene)
    time.sleep(seconds)
    os.kill(zombie.pid, signal.SIGCONT)
    code, errors = scene.end(zombie)
    assert code == 0, errors
    scene.assert_same_as_uninterrupted()
