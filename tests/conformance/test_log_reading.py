"""What every event log promises to readers."""

from __future__ import annotations

import itertools
import threading
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream.errors import OffsetExpiredError, OffsetTruncatedError, TopicNotFoundError
from stream.log import Bounds, Log
from stream.records import NewRecord, TopicPartition
from tests.conformance.conftest import Backend
from tests.conformance.reading import places, read, read_all

FEW = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def test_records_come_back_as_they_were_appended(backend: Backend, log: Log) -> None:
    topic = backend.topic()
    log.create_topics({topic: 1})
    contents = [
        NewRecord(topic, b"key", b"value"),
        NewRecord(topic, None, b"no key"),
        NewRecord(topic, b"no value", None),
        NewRecord(topic, None, None),
        NewRecord(topic, b"", b""),
        NewRecord(topic, bytes(range(256)), bytes(range(255, -1, -1))),
        NewRecord(topic, b"h", b"", (("a", b"\x00\xff"), ("b", b""), ("a", b"again"))),
        NewRecord(topic, b"unicode", b"x", (("schlüssel", b"1"),)),
    ]
    log.sink().append(contents).offsets()
    records = read(log.source([topic]), len(contents))
    found = [NewRecord(r.topic, r.key, r.value, r.headers) for r in records]
    assert found == contents
    assert records[6].header("a") == b"again"


def test_offsets_are_dense_and_times_do_not_decrease(backend: Backend, log: Log) -> None:
    topic = backend.topic()
    log.create_topics({topic: 1})
    sink = log.sink()
    before = time.time() * 1000
    for number in range(30):
        sink.append([NewRecord(topic, b"%d" % number, b"")] * 3)
    sink.flush()
    records = read(log.source([topic]), 90)
    assert [record.offset for record in records] == list(range(90))
    times = [record.timestamp for record in records]
    assert times == sorted(times)
    if backend.name != "memory":
        assert before - 60_000 < times[0] < before + 60_000


def test_a_new_reader_starts_at_the_beginning_and_sees_what_comes(
    backend: Backend, log: Log
) -> None:
    topic = backend.filled(b"0", b"1")
    source = log.source([topic])
    assert [record.value for record in read(source, 2)] == [b"0", b"1"]
    assert source.poll(10, backend.patience) == []
    backend.open().sink().append([NewRecord(topic, None, b"2")]).offsets()
    assert [record.value for record in read(source, 1)] == [b"2"]


def test_poll_waits_for_records_of_another_thread(backend: Backend, log: Log) -> None:
    topic = backend.filled()
    source, sink = log.source([topic]), log.sink()
    timer = threading.Timer(0.3, lambda: sink.append([NewRecord(topic, None, b"late")]).offsets())
    timer.start()
    start = time.monotonic()
    records = source.poll(10, 15)
    assert [record.value for record in records] == [b"late"]
    assert 0.2 < time.monotonic() - start < 5
    timer.join()


def test_poll_gives_up_in_time(backend: Backend, log: Log) -> None:
    source = log.source([backend.filled()])
    start = time.monotonic()
    assert source.poll(10, 0.3) == []
    assert 0.25 < time.monotonic() - start < 1.5


def test_poll_returns_no_more_than_asked(backend: Backend, log: Log) -> None:
    topic = backend.filled(*[b"%d" % number for number in range(50)])
    source = log.source([topic])
    sizes = []
    while sum(sizes) < 50:
        sizes.append(len(source.poll(7, 10)))
    assert max(sizes) == 7
    assert 0 not in sizes


def test_an_unknown_topic_is_named_with_the_known_ones(backend: Backend, log: Log) -> None:
    topic = backend.filled()
    with pytest.raises(TopicNotFoundError, match=r"nonesuch.*does not exist") as raised:
        log.source([topic, "nonesuch"])
    assert raised.value.topic == "nonesuch"


def test_bounds_and_lag_follow_appends_reads_and_expiry(backend: Backend, log: Log) -> None:
    topic = backend.filled(*[b"x"] * 10)
    partition = TopicPartition(topic, 0)
    source = log.source([topic])
    assert source.partitions == (partition,)
    assert source.bounds() == {partition: Bounds(0, 10)}
    read(source, 4, batch=4)
    assert source.lag() == {partition: 6}
    backend.expire(partition, 3)
    assert source.bounds() == {partition: Bounds(3, 10)}
    read(source, 6)
    assert source.lag() == {partition: 0}


def test_seek_goes_to_any_offset_and_to_the_end(backend: Backend, log: Log) -> None:
    topic = backend.filled(*[b"%d" % number for number in range(10)])
    partition = TopicPartition(topic, 0)
    source = log.source([topic])
    for offset in (3, 9, 0, 7):
        source.seek({partition: offset})
        assert read(source, 1, batch=1)[0].offset == offset
    source.seek({partition: 10})
    assert source.poll(1, backend.patience) == []
    source.seek({})
    assert read(source, 1)[0].offset == 0


def test_seek_refuses_offsets_that_the_log_does_not_hold(backend: Backend, log: Log) -> None:
    topic = backend.filled(*[b"x"] * 10)
    partition = TopicPartition(topic, 0)
    source = log.source([topic])
    backend.expire(partition, 4)
    with pytest.raises(OffsetExpiredError) as expired:
        source.seek({partition: 3})
    assert (expired.value.wanted, expired.value.earliest) == (3, 4)
    with pytest.raises(OffsetTruncatedError) as truncated:
        source.seek({partition: 11})
    assert (truncated.value.wanted, truncated.value.end) == (11, 10)
    with pytest.raises(OffsetTruncatedError):
        source.seek({TopicPartition(topic, 5): 1})
    with pytest.raises(ValueError, match="reads only"):
        source.seek({TopicPartition("other", 0): 1})
    source.seek({partition: 4})
    assert len(read_all(source, backend.patience)) == 6


def test_a_reader_whose_next_record_expires_is_told(backend: Backend, log: Log) -> None:
    topic = backend.filled(*[b"x"] * 10)
    partition = TopicPartition(topic, 0)
    source = log.source([topic])
    source.seek({partition: 2})
    backend.expire(partition, 5)
    with pytest.raises(OffsetExpiredError) as raised:
        source.poll(10, 10)
    assert (raised.value.wanted, raised.value.earliest) == (2, 5)
    source.seek({partition: 5})
    assert [record.offset for record in read_all(source, backend.patience)] == [5, 6, 7, 8, 9]


def test_offsets_go_on_after_everything_expired(backend: Backend, log: Log) -> None:
    topic = backend.filled(*[b"x"] * 10)
    partition = TopicPartition(topic, 0)
    backend.expire(partition, 10)
    assert log.sink().append([NewRecord(topic, None, b"new")]).offsets() == [(partition, 10)]
    assert [record.offset for record in read_all(log.source([topic]), backend.patience)] == [10]


def test_topics_are_interleaved_in_the_order_of_time(backend: Backend, log: Log) -> None:
    events, labels = backend.topic("events"), backend.topic("labels")
    log.create_topics({events: 1, labels: 1})
    sink = log.sink()
    for number in range(12):
        sink.append([NewRecord((events, labels)[number % 2], None, b"%d" % number)]).offsets()
        time.sleep(0.002)
    for topics in ([events, labels], [labels, events]):
        values = [record.value for record in read(log.source(topics), 12)]
        assert values == [b"%d" % number for number in range(12)]


def test_a_reader_of_one_number_reads_that_partition_of_each_topic(
    backend: Backend, log: Log
) -> None:
    events, labels = backend.topic("events"), backend.topic("labels")
    log.create_topics({events: 3, labels: 3})
    rows = [
        NewRecord(topic, None, b"%d" % number, partition=number)
        for number in range(3)
        for topic in (events, labels, events)
    ]
    log.sink().append(rows).offsets()
    source = log.source([events, labels], partition=1)
    assert [str(tp) for tp in source.partitions] == [f"{events}-1", f"{labels}-1"]
    assert sorted(places(read(source, 3))) == [(events, 1, 0), (events, 1, 1), (labels, 1, 0)]
    assert not any(source.lag().values())
    assert source.poll(10, backend.patience) == []
    source.close()


def test_commit_copies_offsets_for_lag_tools(backend: Backend, log: Log) -> None:
    topic = backend.filled(*[b"x"] * 10)
    partition = TopicPartition(topic, 0)
    group = backend.topic("group")
    source = log.source([topic], group=group)
    source.commit({partition: 4})
    source.commit({partition: 7})
    log.source([topic]).commit({partition: 9})
    assert backend.open().committed(group) == {partition: 7}  # type: ignore[attr-defined]
    assert backend.open().source([topic], group=group).poll(1, 10)[0].offset == 0


def test_closing_twice_is_allowed(backend: Backend, log: Log) -> None:
    source, sink = log.source([backend.filled()]), log.sink()
    for _ in range(2):
        source.close()
        sink.close()


@pytest.fixture
def mixed(backend: Backend) -> tuple[str, str]:
    """Return two topics, of two partitions and of one, that were filled in turn."""
    log = backend.open()
    events, labels = backend.topic("events"), backend.topic("labels")
    log.create_topics({events: 2, labels: 1})
    sink = log.sink()
    numbers = itertools.count()
    for _ in range(20):
        topics = (events, labels, events, events, labels, events)
        batch = [NewRecord(topic, b"%d" % next(numbers), b"x") for topic in topics]
        sink.append(batch).offsets()
    return events, labels


def test_the_order_is_that_of_appends_or_of_time(
    backend: Backend, log: Log, mixed: tuple[str, str]
) -> None:
    records = read(log.source(mixed), 120)
    if backend.name == "sqlite":
        assert [record.key for record in records] == [b"%d" % number for number in range(120)]
    else:
        order = [(r.timestamp, mixed.index(r.topic), r.partition, r.offset) for r in records]
        assert order == sorted(order)


@FEW
@given(data=st.data())
def test_a_reader_closed_and_reopened_anywhere_reads_the_same_order(
    log: Log, mixed: tuple[str, str], data: st.DataObject
) -> None:
    whole = read(log.source(mixed), 120)
    found = []
    following: dict[TopicPartition, int] = {}
    source = log.source(mixed)
    while len(found) < 120:
        size = data.draw(st.integers(1, 60), label="batch size")
        for record in source.poll(size, 10):
            found.append(record)
            following[TopicPartition(record.topic, record.partition)] = record.offset + 1
        if data.draw(st.booleans(), label="reopen"):
            source.close()
            source = log.source(mixed)
            source.seek(following)
    source.close()
    assert places(found) == places(whole)
    assert len(set(places(found))) == 120
