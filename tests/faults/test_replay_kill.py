"""A replay that is killed with SIGKILL and run again: nothing is lost, nothing is appended twice.

The worker remembers no ids here (``dedup_window`` is 0): what is on the log twice would be learned
twice.
"""

from __future__ import annotations

import os
import random
import signal
import time

import pytest
from msgspec.structs import astuple

from stream.dead_letters.journal import read_mark
from stream.logs.open_log import open_log
from stream.step import ERROR_PREFIX
from tests.faults import replay_victim
from tests.faults.oracle import source_of
from tests.faults.scene import PROCESSES
from tests.letters import Scene, good, large

pytestmark = pytest.mark.promise("replayed_once")

LETTERS = 100

# Marks and batches take turns: an odd append writes a mark, an even one the batch.
STEPS = [(f"{when}_append", times) for times in (1, 2, 3, 4, 6) for when in ("before", "after")]


@pytest.fixture
def scene(log_url, tmp_path):
    """Return a stream with letters on two partitions, and two events that are learned."""
    log = open_log(log_url)
    name = f"replay-{os.getpid()}-{random.randrange(10**9)}"
    topics = {"partitions": 2}
    scene = Scene(log, f"sqlite:///{tmp_path / 'store.db'}", name, topics=topics)
    scene.produce(good(0), *(large(n) for n in range(LETTERS)), good(1))
    assert scene.work()["dead_lettered"] == LETTERS
    yield scene
    log.close()


def start(scene, broker, errors, **arguments):
    event = scene.sections["event"] | {"max_bytes": 1_048_576}
    sections = scene.sections | {"event": event}
    process = PROCESSES.Process(
        target=replay_victim.main, args=(arguments | {"broker": broker}, sections, str(errors))
    )
    process.start()
    return process


def end(process, errors):
    process.join(60)
    assert process.exitcode is not None, "it did not end"
    return process.exitcode, errors.read_text() if errors.exists() else ""


def assert_each_is_there_once(scene, record):
    letters = [letter for letter in scene.read("dead_letters") if read_mark(letter) is None]
    wanted = {source_of(letter, ERROR_PREFIX): 1 for letter in letters}
    assert len(wanted) == LETTERS
    record.compared(wanted, {astuple(place): n for place, n in scene.replays().items()})
    record.assert_nothing_lost()
    counts = scene.work(scene.mended)
    assert (counts["learned"], counts["dead_lettered"]) == (LETTERS + 2, LETTERS)


def test_a_replay_killed_at_every_step(scene, log_url, tmp_path, record):
    errors = tmp_path / "errors"
    for step, times in STEPS:
        code, said = end(start(scene, log_url, errors, step=step, times=times), errors)
        assert code == -signal.SIGKILL, said or "there was nothing left to replay"
        record.fault()
    code, said = end(start(scene, log_url, errors), errors)
    assert code == 0, said
    assert_each_is_there_once(scene, record)


def test_a_replay_killed_at_random(scene, log_url, tmp_path, record):
    errors = tmp_path / "errors"
    rng = random.Random(3)
    for _ in range(6):
        before = sum(scene.replays().values())
        process = start(scene, log_url, errors, slow=0.05)
        deadline = time.monotonic() + 20
        while sum(scene.replays().values()) == before and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.1 * rng.random())
        process.kill()
        code, _ = end(process, errors)
        record.fault(code == -signal.SIGKILL)
    code, said = end(start(scene, log_url, errors), errors)
    assert code == 0, said
    assert_each_is_there_once(scene, record)
