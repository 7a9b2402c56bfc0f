"""A key has one partition, whoever appends it: both of our clients, kafka-python's own, the API."""

from __future__ import annotations

import random
import uuid

import pytest

from stream.logs.memory_log import MemoryLog
from stream.logs.partitioner import murmur2, partition_of_key
from stream.logs.sqlite_log import SqliteLog
from stream.records import NewRecord

COUNT = 5
KEYS = [b"", b"a", b"\xff\x00\xfe", "flüge".encode()] + [
    f"e{number}".encode() for number in range(60)
]


def test_the_hash_is_that_of_kafka_python():
    from kafka.partitioner.default import murmur2 as theirs

    source = random.Random(7)
    for length in range(33):
        for _ in range(20):
            data = source.randbytes(length)
            assert murmur2(data) == theirs(data) & 0xFFFFFFFF


def test_both_clients_put_a_key_on_the_partition_that_the_api_asks(kafka):
    topic = f"t.{uuid.uuid4().hex[:10]}"
    kafka.create_topics({topic: COUNT})
    sink = kafka.sink()
    stands = sink.append([NewRecord(topic, key, b"{}") for key in KEYS]).offsets(60.0)
    assert [place.partition for place, _ in stands] == [
        partition_of_key(key, COUNT) for key in KEYS
    ]


def test_so_does_a_producer_of_somebody_else(kafka_broker, kafka):
    from kafka import KafkaProducer

    topic = f"t.{uuid.uuid4().hex[:10]}"
    kafka.create_topics({topic: COUNT})
    producer = KafkaProducer(bootstrap_servers=[kafka_broker.url.removeprefix("kafka://")])
    sent = [producer.send(topic, b"{}", key=key) for key in KEYS]
    producer.flush()
    found = [future.get(60).partition for future in sent]
    producer.close()
    assert found == [partition_of_key(key, COUNT) for key in KEYS]


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_so_do_the_logs_without_a_broker(kind, tmp_path):
    log = MemoryLog(clock=lambda: 0) if kind == "memory" else SqliteLog(tmp_path / "log.db")
    log.create_topics({"t": COUNT})
    stands = log.sink().append([NewRecord("t", key, b"{}") for key in KEYS]).offsets(60.0)
    assert [place.partition for place, _ in stands] == [
        partition_of_key(key, COUNT) for key in KEYS
    ]
    log.close()
