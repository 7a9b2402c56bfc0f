"""A worker that is stopped for longer than anybody waits, and then goes on as if nothing were."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

LONG = 60
"""Seconds that are more than Kafka's longest default of a session, 45."""


@pytest.fixture
def scene(scene_of):
    """Return a produced stream on each log."""
    return scene_of()


@pytest.fixture
def zombie(scene):
    """Return a worker that is stopped in the middle of its work, with no file locked."""
    process, store = scene.start(slow=0.05), scene.store()
    try:
        deadline = time.monotonic() + 120
        while store.newest() is None or store.newest().number < 3:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        stop(process.pid)
        while any(map(is_locked, (scene.store_url, scene.broker))):
            # SQLite's lock would be held for as long as it sleeps: that is another test's.
            assert time.monotonic() < deadline
            os.kill(process.pid, signal.SIGCONT)
            time.sleep(0.01)
            stop(process.pid)
        scene.record.fault()
        yield process
    finally:
        store.close()
        process.kill()
        process.join()


def stop(pid):
    """Stop a process, and return when it stands still."""
    os.kill(pid, signal.SIGSTOP)
    while Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "T":
        time.sleep(0.001)


def is_locked(url):
    """Return whether a process is in the middle of writing to an SQLite file."""
    if not url.startswith("sqlite:///"):
        return False
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"), timeout=0)) as file:
        try:
            file.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
        file.rollback()
    return False


@pytest.mark.promise("fenced")
@pytest.mark.parametrize("seconds", [0, pytest.param(LONG, marks=pytest.mark.slow_fault)])
def test_a_zombie_that_was_succeeded_changes_nothing(scene, zombie, seconds):
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
def test_a_zombie_without_a_successor_goes_on(scene, zombie, seconds):
    time.sleep(seconds)
    os.kill(zombie.pid, signal.SIGCONT)
    code, errors = scene.end(zombie)
    assert code == 0, errors
    scene.assert_same_as_uninterrupted()
