"""A stream is divided only where labels find their events, and never over another division."""

from __future__ import annotations

from contextlib import closing

import pytest

from stream.errors import ConfigError, HaltedError
from stream.logs.memory_log import MemoryLog
from stream.records import NewRecord
from stream.sharding.fit import (
    NotDivisibleError,
    refuse_grown,
    refuse_other_shards,
    shard_count,
)
from stream.sharding.names import shard_name, shard_number
from stream.storage.store import Store
from tests.lines import as_bytes, event, make_config, truth

CONFIG = make_config(stream={"shards": "partition"}, retrain={"enabled": False})


@pytest.fixture
def log() -> MemoryLog:
    made = MemoryLog(clock=lambda: 1_000)
    made.create_topics({"s.events": 4, "s.labels": 4})
    return made


def append(log: MemoryLog, event_key, label_key, count: int = 40) -> None:
    rows = []
    for number in range(count):
        rows.append(NewRecord("s.events", event_key(number), as_bytes(event(number))))
        said = {"id": f"e{number}", "y": truth(number)}
        rows.append(NewRecord("s.labels", label_key(number), as_bytes(said)))
    log.sink().append(rows)


def by_id(number: int) -> bytes:
    return f"e{number}".encode()


def by_customer(number: int) -> bytes:
    return f"customer-{number % 7}".encode()


def nothing(_number: int) -> None:
    return None


def test_an_empty_stream_has_a_shard_for_each_partition(log):
    assert shard_count(CONFIG, log) == 4


@pytest.mark.parametrize("key", [by_id, by_customer])
def test_the_same_key_of_whatever_kind_is_fine(log, key):
    append(log, key, key)
    assert shard_count(CONFIG, log) == 4


def test_labels_without_an_event_in_sight_are_fine(log):
    log.sink().append([NewRecord("s.labels", b"e1", as_bytes({"id": "e1", "y": True}))])
    assert shard_count(CONFIG, log) == 4


def test_events_that_bring_their_label_need_no_key(log):
    log.sink().append([NewRecord("s.events", None, as_bytes(event(n, True))) for n in range(20)])
    assert shard_count(CONFIG, log) == 4


@pytest.mark.parametrize(
    ("event_key", "label_key", "says"),
    [
        (by_id, by_customer, "its event is at s.events-"),
        (by_customer, by_id, "its event is at s.events-"),
        (by_id, nothing, "it has no key"),
        (nothing, by_id, "it has no key"),
    ],
)
def test_other_keys_are_refused_with_an_example(log, event_key, label_key, says):
    append(log, event_key, label_key)
    with pytest.raises(NotDivisibleError, match=says) as caught:
        shard_count(CONFIG, log)
    assert "same key" in str(caught.value)
    assert caught.value.exit_code == 2


def test_other_numbers_of_partitions_are_refused():
    log = MemoryLog(clock=lambda: 1_000)
    log.create_topics({"s.events": 4, "s.labels": 3})
    with pytest.raises(NotDivisibleError, match=r"s\.events has 4 partitions and s\.labels has 3"):
        shard_count(CONFIG, log)


def test_a_store_that_holds_the_stream_otherwise_is_refused(tmp_path):
    url = f"sqlite:///{tmp_path / 'store.db'}"
    with closing(Store(url, "s")) as store:
        for count in (None, 4):
            refuse_other_shards(CONFIG, store.sharding, count)
        store.claim("somebody:1", 0.0)
        refuse_other_shards(CONFIG, store.sharding, None)
        with pytest.raises(HaltedError, match="was not divided, and now it has 4 partitions"):
            refuse_other_shards(CONFIG, store.sharding, 4)
    with closing(Store(url, "t", shard=shard_name(1, 4))) as store:
        store.claim("somebody:1", 0.0)
        refuse_other_shards(CONFIG, store.sharding, 4)
        with pytest.raises(HaltedError, match="divided into 1-of-4, and now it is not divided"):
            refuse_other_shards(CONFIG, store.sharding, None)
        with pytest.raises(HaltedError, match="divided into 1-of-4, and now it has 6 partitions"):
            refuse_other_shards(CONFIG, store.sharding, 6)


def test_a_partition_that_is_added_meanwhile_halts():
    refuse_grown(3, 4, "s.events")
    with pytest.raises(HaltedError, match="has grown beyond its 4 partitions"):
        refuse_grown(4, 4, "s.events")


def test_a_divided_stream_has_no_state_that_alertmanager_and_mlflow_could_follow():
    with pytest.raises(ConfigError) as caught:
        make_config(
            stream={"shards": "partition"},
            retrain={"enabled": False},
            alerts={"alertmanager": "http://localhost:9093"},
            mlflow={"tracking_uri": "http://localhost:5000"},
        )
    assert [problem.key for problem in caught.value.problems] == [
        "alerts.alertmanager",
        "mlflow.tracking_uri",
    ]


def test_a_shards_name_tells_its_partition():
    assert [shard_number(shard_name(number, 12)) for number in range(12)] == list(range(12))
