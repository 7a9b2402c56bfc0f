"""A key whose events are on several partitions is named when a divided stream starts."""

from __future__ import annotations

from contextlib import closing

import msgspec
import structlog

from stream.logs.memory_log import MemoryLog
from stream.records import NewRecord
from stream.sharding.fit import shard_count
from tests.lines import event, make_config

CONFIG = make_config(
    stream={"shards": "partition"}, model={"per": "who"}, retrain={"enabled": False}
)


def warnings(partition_of) -> list:
    with closing(MemoryLog(clock=lambda: 1_000)) as log:
        log.create_topics(dict.fromkeys(CONFIG.topic_names, 2))
        rows = [event(number, True, who=f"k{number % 4}") for number in range(40)]
        log.sink().append(
            [
                NewRecord("s.events", b"k", msgspec.json.encode(row), (), partition_of(n, row))
                for n, row in enumerate(rows)
            ]
        )
        with structlog.testing.capture_logs() as told:
            assert shard_count(CONFIG, log) == 2
    return [one for one in told if one["event"] == "keys_scattered"]


def test_keys_on_several_partitions_are_counted_and_one_is_named():
    (told,) = warnings(lambda number, _row: (number // 4) % 2)
    assert (told["per"], told["keys"], told["of"]) == ("who", 4, 4)
    assert (told["example"], told["partitions"]) == ("k0", [0, 1])


def test_keys_on_one_partition_each_are_nothing_to_tell_of():
    assert not warnings(lambda _number, row: int(row["who"][1]) % 2)
