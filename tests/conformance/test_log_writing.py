"""What every event log promises to writers."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from stream.errors import InputError, PartitionNotFoundError, RecordTooLargeError
from stream.log import MAX_RECORD_BYTES, Log
from stream.records import NewRecord, TopicPartition
from tests.conformance.conftest import Backend
from tests.conformance.reading import read, read_all


def test_receipts_say_where_records_stand(backend: Backend, log: Log) -> None:
    one, other = backend.topic("one"), backend.topic("other")
    log.create_topics({one: 1, other: 1})
    sink = log.sink()
    first = sink.append([NewRecord(topic, b"k", b"v") for topic in (one, other, one)])
    second = sink.append([NewRecord(other, b"k", b"v")])
    assert first.offsets() == [
        (TopicPartition(one, 0), 0),
        (TopicPartition(other, 0), 0),
        (TopicPartition(one, 0), 1),
    ]
    assert second.offsets() == [(TopicPartition(other, 0), 1)]


def test_flush_makes_everything_readable(backend: Backend, log: Log) -> None:
    topic = backend.filled()
    sink = log.sink()
    for number in range(200):
        sink.append([NewRecord(topic, b"%d" % number, b"x" * 100)])
    sink.flush()
    assert log.source([topic]).bounds()[TopicPartition(topic, 0)].end == 200


def test_an_empty_append_is_nothing(log: Log) -> None:
    sink = log.sink()
    assert sink.append([]).offsets() == []
    sink.flush()


def test_creating_topics_twice_changes_nothing(backend: Backend, log: Log) -> None:
    one, other = backend.topic(), backend.topic()
    log.create_topics({one: 3})
    log.create_topics({one: 5, other: 1})
    log.create_topics({})
    assert {name: log.topics()[name] for name in (one, other)} == {one: 3, other: 1}


@pytest.mark.parametrize("name", ["", "..", "with space", "a/b", "x" * 250, "ü"])
def test_bad_topic_names_are_refused(log: Log, name: str) -> None:
    with pytest.raises(InputError, match="topic name"):
        log.create_topics({name: 1})
    with pytest.raises(InputError, match="use 1 or more"):
        log.create_topics({"fine": 0})


def test_a_key_always_goes_to_the_same_partition(backend: Backend, log: Log) -> None:
    topic = backend.topic()
    log.create_topics({topic: 4})
    sink = log.sink()
    keys = [b"key-%d" % (number % 25) for number in range(100)]
    stands = sink.append([NewRecord(topic, key, b"") for key in keys]).offsets()
    found: dict[bytes, set[int]] = {}
    for key, (partition, _) in zip(keys, stands, strict=True):
        found.setdefault(key, set()).add(partition.partition)
    assert all(len(partitions) == 1 for partitions in found.values())
    assert len(set.union(*found.values())) == 4
    assert len(read(log.source([topic]), 100)) == 100


def test_a_record_stands_on_the_partition_it_names(backend: Backend, log: Log) -> None:
    topic = backend.topic()
    log.create_topics({topic: 4})
    sink = log.sink()
    named = [NewRecord(topic, b"same", b"", (), number) for number in (3, 0, 2, 3, 1)]
    stands = sink.append(named).offsets()
    assert [place.partition for place, _ in stands] == [3, 0, 2, 3, 1]
    assert [offset for _, offset in stands] == [0, 0, 0, 1, 0]


@pytest.mark.parametrize("partition", [2, -1])
def test_a_partition_that_is_not_there_is_refused_whole(
    backend: Backend, log: Log, partition: int
) -> None:
    topic = backend.topic()
    log.create_topics({topic: 2})
    sink = log.sink()
    beside = NewRecord(topic, None, b"")
    with pytest.raises(PartitionNotFoundError, match=f"2 partitions.* partition {partition}"):
        sink.append([beside, NewRecord(topic, None, b"", (), partition)])
    assert read_all(log.source([topic]), backend.patience) == []


def test_records_without_a_key_are_all_kept(backend: Backend, log: Log) -> None:
    topic = backend.topic()
    log.create_topics({topic: 3})
    log.sink().append([NewRecord(topic, None, b"%d" % n) for n in range(90)]).offsets()
    values = {record.value for record in read(log.source([topic]), 90)}
    assert len(values) == 90


def test_a_record_at_the_limit_is_taken_and_one_over_it_is_refused_whole(
    backend: Backend, log: Log
) -> None:
    topic = backend.filled()
    sink = log.sink()
    # Random bytes: a log that compresses gains nothing.
    largest = NewRecord(topic, b"key", os.urandom(MAX_RECORD_BYTES - 8), (("h", b"four"),))
    assert largest.size == MAX_RECORD_BYTES
    sink.append([largest]).offsets()
    over = NewRecord(topic, b"key", os.urandom(MAX_RECORD_BYTES - 2))
    with pytest.raises(RecordTooLargeError) as raised:
        sink.append([NewRecord(topic, b"beside", b""), over])
    assert raised.value.topic == topic
    sink.append([NewRecord(topic, b"after", b"")]).offsets()
    records = read_all(log.source([topic]), backend.patience)
    assert [record.key for record in records] == [b"key", b"after"]
    assert records[0].value == largest.value


def test_threads_share_a_sink_and_each_keeps_its_order(backend: Backend, log: Log) -> None:
    topic = backend.filled()
    sink = log.sink()

    def write(thread: int) -> None:
        for number in range(40):
            sink.append([NewRecord(topic, b"%d" % thread, b"%d" % number)] * 2)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    sink.flush()
    records = read(log.source([topic]), 320)
    for thread in range(4):
        mine = [int(r.value or b"") for r in records if r.key == b"%d" % thread]
        assert mine == sorted([*range(40), *range(40)])


def test_several_sinks_write_at_once(backend: Backend) -> None:
    topic = backend.filled()

    def write(writer: int) -> list[int]:
        sink = backend.open().sink()
        batches = [[NewRecord(topic, b"%d-%d" % (writer, n), b"")] * 5 for n in range(10)]
        return [offset for batch in batches for _, offset in sink.append(batch).offsets()]

    with ThreadPoolExecutor(4) as pool:
        offsets = list(pool.map(write, range(4)))
    assert sorted(offset for mine in offsets for offset in mine) == list(range(200))
    for mine in offsets:
        assert mine == sorted(mine)
