"""A member of Kafka's consumer group is told what is its own, whatever Kafka's client says."""

from __future__ import annotations

from typing import Any

import pytest

from stream.logs.kafka_log import KafkaLog
from stream.logs.kafka_membership import KafkaMembership, _Listener
from stream.records import NewRecord, TopicPartition
from tests.faults.watching import wait_until


def told(member: KafkaMembership, kinds: list[tuple[str, set[int]]]) -> list[Any]:
    """Take in what a member is told; return the last changes."""
    changes = member.poll(0.1)
    kinds += [(change.kind, set(change.numbers)) for change in changes]
    return changes


def test_two_members_share_a_topic_and_what_moves_waits_until_it_is_given_up(
    kafka: KafkaLog, kafka_broker, topic
):
    shared = f"{topic}.shared"
    kafka.create_topics({shared: 4})
    kafka.sink().append([NewRecord(shared, None, b"x", partition=n) for n in range(4)]).offsets()
    first = kafka.membership(f"g-{topic}", shared, 6.0)
    heard: list[tuple[str, set[int]]] = []
    wait_until(lambda: told(first, heard) and heard == [("assigned", {0, 1, 2, 3})], "all")
    place = TopicPartition(shared, 1)
    first.copy({place: 1})
    wait_until(lambda: kafka.committed(f"g-{topic}").get(place) == 1, "a copy")

    other = KafkaLog(kafka_broker.url)
    second = other.membership(f"g-{topic}", shared, 6.0)
    theirs: list[tuple[str, set[int]]] = []
    revoked: list[Any] = []

    def is_revoked() -> bool:
        told(second, theirs)
        revoked.extend(change for change in told(first, heard) if change.kind == "revoked")
        return bool(revoked)

    wait_until(is_revoked, "a part to give up")
    assert not any(numbers for _, numbers in theirs), "what is not given up is nobody else's"
    (given,) = revoked
    assert len(given.numbers) == 2
    given.done()
    wait_until(lambda: told(second, theirs) and theirs == [("assigned", set(given.numbers))], "it")
    second.leave()
    wait_until(
        lambda: told(first, heard) and heard[-1] == ("assigned", set(given.numbers)), "it again"
    )
    other.close()
    first.leave()


def test_what_the_client_is_silent_about_is_told_all_the_same():
    listener = _Listener(None)
    listener.settle(frozenset({0, 1}))
    listener.settle(frozenset({0, 1}))
    listener.settle(frozenset({1, 2}))
    said = [(change.kind, set(change.numbers)) for change in listener.changes(0.0)]
    assert said == [("assigned", {0, 1}), ("lost", {0}), ("assigned", {2})]


def test_a_topic_that_is_not_there_gives_a_member_nothing(kafka: KafkaLog, topic):
    member = kafka.membership(f"g-{topic}", f"{topic}.none", 6.0)
    assert member.poll(0.5) == []
    member.leave()
    assert member.is_closed


@pytest.fixture
def kind() -> type[KafkaLog]:
    """Return the log of one client: both join groups in the same way."""
    return KafkaLog
