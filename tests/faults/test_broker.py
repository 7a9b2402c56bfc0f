"""A broker that is killed, hangs, comes back or stays away costs time and nothing else.

It is one of its own: these tests may run beside those that share a broker.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import real_thing
from tests.faults.scene import Scene
from tests.faults.watching import committed, said, wait_until
from tests.kafka.broker import KafkaMissingError, LocalKafka

pytestmark = [
    pytest.mark.promise("broker_lost"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
EVENTS = 600


@pytest.fixture(scope="module")
def broker() -> Iterator[LocalKafka]:
    """A broker that only these tests use: they kill it."""
    try:
        broker = LocalKafka(is_brief=True)
    except KafkaMissingError as error:
        real_thing(error)
        raise
    try:
        broker.start()
        yield broker
    finally:
        broker.remove()


@pytest.fixture
def running(broker: LocalKafka) -> Iterator[LocalKafka]:
    """The broker, awake before and after whatever a test does to it."""
    if not broker.is_running():
        broker.start()
    yield broker
    broker.resume()


def make_scene(broker: LocalKafka, tmp_path: Path, record, events: int = EVENTS, **sections):
    return Scene(
        broker.url, f"sqlite:///{tmp_path / 'store.db'}", tmp_path, record, events=events,
        **sections,
    )  # fmt: skip


def test_a_broker_that_is_killed_and_comes_back_is_waited_for(running, tmp_path, record):
    scene, told = make_scene(running, tmp_path, record), tmp_path / "told"
    process = scene.start(slow=0.2, told=str(told))
    wait_until(lambda: committed(scene, 2), "a commit")
    running.kill()
    record.fault()
    wait_until(lambda: said(told, "log_silent"), "a line about the silence")
    running.start()
    code, errors = scene.end(process)
    assert code == 0, errors
    first, *_ = said(told, "log_silent")
    assert first["level"] == "warning"
    assert 0 < first["gives_up_in_seconds"] <= 120
    scene.assert_same_as_uninterrupted()


def test_a_broker_that_stays_away_ends_the_worker_with_a_message(running, tmp_path, record):
    scene = make_scene(running, tmp_path, record, kafka={"patience": "6s"})
    process = scene.start(slow=0.2)
    wait_until(lambda: committed(scene, 2), "a commit")
    running.suspend()
    record.fault()
    code, errors = scene.end(process)
    assert code == 3, errors
    assert f"127.0.0.1:{running.port}" in errors
    assert "\n" not in errors.strip()
    code, errors = scene.run()  # started again, as a supervisor does, while it still hangs
    record.fault()
    assert code == 3
    assert "no session with Kafka came about" in errors
    running.resume()
    code, errors = scene.run()
    assert code == 0, errors
    scene.assert_same_as_uninterrupted()


def test_a_worker_that_is_told_to_stop_without_a_broker_loses_nothing(running, tmp_path, record):
    scene, until = make_scene(running, tmp_path, record), tmp_path / "until"
    process = scene.start(slow=0.2, until=str(until))
    wait_until(lambda: committed(scene, 2), "a commit")
    running.kill()
    record.fault()
    until.touch()
    code, errors = scene.end(process, 90)  # far less than the patience of two minutes
    assert code in (0, 3), errors
    running.start()
    code, errors = scene.run()
    assert code == 0, errors
    scene.assert_same_as_uninterrupted()


@pytest.mark.slow_fault
def test_a_minute_without_the_broker_is_borne(running, tmp_path, record):
    scene, told = make_scene(running, tmp_path, record), tmp_path / "told"
    process = scene.start(slow=0.2, told=str(told))
    wait_until(lambda: committed(scene, 2), "a commit")
    running.suspend()
    record.fault()
    time.sleep(60)
    assert process.is_alive()
    running.resume()
    code, errors = scene.end(process, 180)
    assert code == 0, errors
    assert said(told, "log_silent")
    scene.assert_same_as_uninterrupted()


def test_a_batch_that_rotted_on_the_broker_s_disk_is_never_skipped(running, tmp_path, record):
    scene = make_scene(running, tmp_path, record)
    folder = running.data / "log" / f"{scene.config.events_topic}-0"
    running.stop()
    path = folder / f"{0:020}.log"
    whole = path.read_bytes()
    # The last byte of the last batch: all before it can be read.
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    record.fault()
    running.start()
    code, errors = scene.run()
    assert code == 4, errors
    assert "cannot be unpacked" in errors
    assert "Nothing was skipped" in errors
    running.stop()
    path.write_bytes(whole)
    running.start()
    code, errors = scene.run()
    assert code == 0, errors
    scene.assert_same_as_uninterrupted()
