"""The merge: its order is that of the heads, however records trickle in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stream.logs.merge import Merge
from stream.records import Record, TopicPartition

PARTITIONS = [TopicPartition("events", 0), TopicPartition("events", 1), TopicPartition("labels", 0)]

times = st.lists(st.integers(0, 20), max_size=15)


def as_records(partition: TopicPartition, stamps: list[int]) -> list[Record]:
    """Return records of a partition with these timestamps."""
    return [Record(*partition, offset, stamp, None, None) for offset, stamp in enumerate(stamps)]


def by_definition(queues: dict[TopicPartition, list[Record]]) -> list[Record]:
    """Merge as the contract words it: always the smallest head."""
    left = {partition: list(records) for partition, records in queues.items()}
    order = []
    while any(left.values()):
        heads = [(left[tp][0].timestamp, rank) for rank, tp in enumerate(PARTITIONS) if left[tp]]
        order.append(left[PARTITIONS[min(heads)[1]]].pop(0))
    return order


steps = st.tuples(
    st.sampled_from(PARTITIONS),
    st.integers(0, 5),
    st.integers(1, 7),
    st.sets(st.sampled_from(PARTITIONS)),
)
"""A partition that brings so many records, how many are taken, and whose ends are seen."""


@given(st.lists(times, min_size=3, max_size=3), st.lists(steps, max_size=40))
def test_the_order_does_not_depend_on_how_records_trickle_in(
    stamps: list[list[int]],
    trickle: list[tuple[TopicPartition, int, int, set[TopicPartition]]],
) -> None:
    queues = {tp: as_records(tp, list_) for tp, list_ in zip(PARTITIONS, stamps, strict=True)}
    waiting = {tp: list(records) for tp, records in queues.items()}
    merge = Merge(PARTITIONS)
    merged: list[Record] = []
    rest = [(tp, 100, 100, set(PARTITIONS)) for tp in PARTITIONS]
    for partition, count, taken, seen in trickle + rest:
        merge.feed(partition, waiting[partition][:count])
        del waiting[partition][:count]
        # An end is seen late, or at once.
        merged += merge.take(taken, {tp for tp in seen if not waiting[tp]})
    assert merged == by_definition(queues)


@given(times, st.integers(1, 20))
def test_one_partition_keeps_its_order_and_never_waits(stamps: list[int], size: int) -> None:
    partition = PARTITIONS[0]
    merge = Merge([partition])
    merge.feed(partition, as_records(partition, stamps))
    merged = []
    while records := merge.take(size, ended=()):
        assert len(records) <= size
        merged += records
    assert merged == as_records(partition, stamps)


def test_a_partition_that_may_hold_more_blocks_the_others() -> None:
    events, _, labels = PARTITIONS
    merge = Merge([events, labels])
    merge.feed(labels, as_records(labels, [5, 6]))
    assert merge.take(10, ended={labels}) == []
    merge.feed(events, as_records(events, [5]))
    assert [record.topic for record in merge.take(10, ended=set())] == ["events"]
    assert merge.buffered(labels) == 2
    assert [record.timestamp for record in merge.take(1, ended={events})] == [5]
    assert [record.timestamp for record in merge.take(10, ended={events})] == [6]


def test_a_cleared_merge_is_empty() -> None:
    events, _, labels = PARTITIONS
    merge = Merge([events, labels])
    merge.feed(events, as_records(events, [1, 2]))
    assert merge.head(events) == as_records(events, [1])[0]
    merge.clear()
    assert merge.head(events) is None
    assert merge.take(10, ended={events, labels}) == []
