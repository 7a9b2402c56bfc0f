"""Models per key in a divided stream: each shard has its own, and they add up in the status."""

from __future__ import annotations

from contextlib import closing

import msgspec
import pytest

from serve.compose import Secrets
from serve.crew import opened_crew
from serve.shards import status_of_shards
from stream.build import line_factory
from stream.digest import state_digest
from stream.logs.partitioner import partition_of_key
from stream.records import NewRecord
from stream.sharding.names import shard_name
from stream.snapshot import restore
from stream.storage.store import Store
from stream.tracing import Untraced
from tests.faults.oracle import read_all
from tests.stream.test_key_models import learner_of

SHARDS = 3
SECTIONS = {
    "stream": {"shards": "partition"},
    "topics": {"partitions": SHARDS},
    "model": {"per": "who", "per_min_events": 2, "per_in_memory": 2},
    "retrain": {"enabled": False},
    "monitor": {"enabled": False},
}


def produce(world, count: int) -> None:
    """Append events of 30 customers, and their labels, both keyed by the customer."""
    rows = []
    for _ in range(count):
        number = world.made
        event = world.event(who=f"c{number % 30}")
        place = event["who"].encode()
        label = {"id": event["id"], "late": event["x"] > 0}
        rows.append(NewRecord(world.config.events_topic, place, msgspec.json.encode(event)))
        rows.append(NewRecord(world.config.labels_topic, place, msgspec.json.encode(label)))
        world.log.sink().append(rows[-2:]).offsets()


def work(world) -> dict:
    with opened_crew(world.config, Secrets(), "here", Untraced, until_caught_up=True) as opened:
        opened.crew.run(lambda: False, opened.is_read)
        return status_of_shards(world.config, opened.store.sharding.all(), 0.0)


@pytest.fixture
def world(make_world):
    return make_world(**SECTIONS)


def test_each_shard_has_the_keys_of_its_partition_and_equals_a_replay(world):
    produce(world, 200)
    work(world)
    produce(world, 100)
    told = work(world)["keys"]
    assert told["keys"] == 30, "one model a customer, over all shards"
    assert told["spilled"] == told["keys"] - told["in_memory"] > 0
    assert sum(told["answers"].values()) == 300
    topics = world.config.events_topic, world.config.labels_topic
    for number in range(SHARDS):
        name = shard_name(number, SHARDS)
        with closing(Store(world.config.stream.store, "flights", shard=name)) as store:
            wanted = line_factory(world.config)("v1")
            wanted.handle(read_all(world.log, *topics, partition=number), 0)
            newest = store.newest()
            found = line_factory(world.config)(newest.version)
            restore(found, *store.load(newest))
            learner_of(found).keys.load = store.key_models.load
            assert newest.status["state_digest"] == state_digest(wanted)
            keys = set(learner_of(wanted).keys.keys())
            assert keys == {
                f"c{n}" for n in range(30) if partition_of_key(b"c%d" % n, SHARDS) == number
            }
            probe_keys(found, wanted, keys)


def probe_keys(found, wanted, keys) -> None:
    for key in keys:
        ours, theirs = learner_of(found).keys.get(key), learner_of(wanted).keys.get(key)
        probe = {"x": 0.4, "z": 1.5}
        assert ours.model.predict_proba_one(probe) == theirs.model.predict_proba_one(probe)
