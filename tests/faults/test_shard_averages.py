"""Shards that average their models: what dies between two averages loses none, and adds none."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream.sharding.averaging.average import KIND, decode
from stream.sharding.averaging.part import total
from stream.sharding.names import shard_names
from tests.faults.shard_scene import SECONDS, SHARDS, ShardScene
from tests.faults.watching import wait_until
from tests.lines import PIPELINE

pytestmark = pytest.mark.promise("learned_once", "fenced")

AVERAGED = {"factory": None, "pipeline": PIPELINE, "share": "averaged", "average_every": 100}
BATCH = 400


@pytest.fixture(params=[pytest.param("kafka-postgresql", marks=pytest.mark.slow_fault), "embedded"])
def scene(request: pytest.FixtureRequest, tmp_path: Path, record) -> Iterator[ShardScene]:
    """Return a divided stream whose shards average their models."""
    broker, store = f"sqlite:///{tmp_path / 'log.db'}", f"sqlite:///{tmp_path / 'store.db'}"
    if request.param == "kafka-postgresql":
        broker = request.getfixturevalue("kafka_broker").url
        store = request.getfixturevalue("postgres").url(f"average{tmp_path.name[-8:]}".lower())
    made = ShardScene(broker, store, tmp_path, record, **AVERAGED)
    yield made
    made.kill_all()


def adopted(scene: ShardScene) -> list[int]:
    """Return the number of the average that each shard has adopted last; 0 for none."""
    store = scene.store()
    try:
        found = [store.of_shard(name).adoptions.all() for name in shard_names(SHARDS)]
    finally:
        store.close()
    return [max((row.number for row in rows if row.kind == KIND), default=0) for rows in found]


def wait_for_an_average_after(scene: ShardScene, number: int) -> int:
    """Wait until every shard has adopted a later average than this; return the oldest of them."""
    wait_until(lambda: min(adopted(scene)) > number, "an average in every shard", SECONDS)
    return min(adopted(scene))


def test_a_killed_worker_neither_loses_an_average_nor_adopts_it_twice(scene):
    scene.produce_events(BATCH)
    first, second = scene.start(), scene.start()
    scene.wait_for_owners(first, second)
    number = wait_for_an_average_after(scene, 0)

    scene.produce_events(BATCH)
    scene.signal(first, signal.SIGKILL)
    scene.produce_events(BATCH)
    scene.wait_for_owners(second)
    number = wait_for_an_average_after(scene, number)

    third = scene.start()
    scene.wait_for_owners(second, third)
    scene.produce_events(BATCH)
    wait_for_an_average_after(scene, number)
    scene.wait_until_read()
    for worker in (second, third):
        scene.signal(worker, signal.SIGTERM)
        code, errors = scene.end(worker)
        assert code == 0, errors
    scene.assert_each_shard_same_as_uninterrupted()

    store = scene.store()
    newest = decode(store.shared.newest(KIND).data)
    store.close()
    scaler = total(one.parts for one in newest.shards.values()).by_place["/StandardScaler"]
    learned = sum(one.learned for one in newest.shards.values())
    assert {one.n for one in scaler.moments.values()} == {learned}
