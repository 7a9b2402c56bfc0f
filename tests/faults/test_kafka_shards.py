"""A divided stream: workers join, die, freeze and leave, and each shard is what a replay is."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.shard_scene import ShardScene

pytestmark = pytest.mark.promise("learned_once", "fenced", "broker_lost")

BATCH = 600


@pytest.fixture(params=["kafka-sqlite", "kafka-postgresql", "embedded"])
def scene(request: pytest.FixtureRequest, tmp_path: Path, record) -> Iterator[ShardScene]:
    """Return a divided stream on Kafka over each store, and one on the embedded log."""
    broker, store = f"sqlite:///{tmp_path / 'log.db'}", f"sqlite:///{tmp_path / 'store.db'}"
    if request.param != "embedded":
        broker = request.getfixturevalue("kafka_broker").url
    if request.param == "kafka-postgresql":
        store = request.getfixturevalue("postgres").url(f"shards{tmp_path.name[-8:]}".lower())
    made = ShardScene(broker, store, tmp_path, record)
    yield made
    made.kill_all()


def test_workers_that_join_die_freeze_and_leave_lose_nothing_and_repeat_nothing(scene):
    scene.produce_events(BATCH)
    first = scene.start()
    scene.wait_for_owners(first)
    second = scene.start()
    scene.wait_for_owners(first, second)

    scene.produce_events(BATCH)
    scene.freeze(first)
    scene.produce_events(BATCH)
    scene.wait_for_owners(second)
    third = scene.start()
    scene.wait_for_owners(second, third)

    scene.produce_events(BATCH)
    scene.signal(first, signal.SIGCONT)
    scene.wait_for_owners(first, second, third)

    scene.produce_events(BATCH)
    scene.signal(second, signal.SIGKILL)
    scene.produce_events(BATCH)
    scene.wait_for_owners(first, third)
    scene.signal(first, signal.SIGTERM)
    code, errors = scene.end(first)
    assert code == 0, errors
    scene.wait_for_owners(third)
    scene.wait_until_read()
    scene.wait_until_added_up()
    scene.signal(third, signal.SIGTERM)
    code, errors = scene.end(third)
    assert code == 0, errors
    scene.assert_each_shard_same_as_uninterrupted()
    scene.assert_the_monitor_adds_up()
