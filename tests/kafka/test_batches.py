"""Batches that other producers write: every codec, missing codecs, damage, and bombs."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from stream.errors import UndecodableBatchError
from stream.logs.kafka_log import KafkaLog
from stream.records import NewRecord, TopicPartition
from tests.kafka.broker import LocalKafka
from tests.kafka.conftest import only_python

CODECS = ["gzip", "snappy", "lz4", "zstd", None]
Produce = Callable[..., None]

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.mark.parametrize("codec", CODECS)
def test_every_codec_is_readable(
    kafka: KafkaLog, topic: str, produce: Produce, codec: str | None
) -> None:
    values = [b"%d " % number * 50 for number in range(500)]
    produce(topic, values, compression_type=codec)
    source = kafka.source([topic])
    found: list[bytes | None] = []
    while len(found) < 500 and (records := source.poll(1_000, 5)):
        found += [record.value for record in records]
    assert found == values


@only_python
@pytest.mark.parametrize("codec", ["snappy", "lz4", "zstd"])
def test_a_missing_codec_is_named_and_nothing_is_skipped(
    kafka: KafkaLog, topic: str, produce: Produce, codec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    produce(topic, [b"first"])
    produce(topic, [b"x" * 100] * 3, compression_type=codec)
    produce(topic, [b"last"])
    source = kafka.source([topic])
    with monkeypatch.context() as patch:
        patch.setattr(f"kafka.codec.has_{codec}", lambda: False)
        assert [record.value for record in source.poll(10, 5)] == [b"first"]
        # kafka-python raises such an error once, and its next poll never comes back.
        for _ in range(3):
            start = time.monotonic()
            with pytest.raises(UndecodableBatchError, match=f"{codec}.*codec") as raised:
                source.poll(10, 1)
            assert time.monotonic() - start < 3
        assert (raised.value.partition, raised.value.offset) == (f"{topic}-0", 1)
        source.seek({TopicPartition(topic, 0): 4})
        assert [record.value for record in source.poll(10, 5)] == [b"last"]
    again = kafka.source([topic])
    again.seek({TopicPartition(topic, 0): 1})
    assert len(again.poll(10, 5)) + len(again.poll(10, 1)) == 4


@only_python
def test_a_bad_partition_does_not_hide_behind_a_pause(
    kafka: KafkaLog, topic: str, produce: Produce, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = f"{topic}.other"
    kafka.create_topics({other: 1})
    produce(topic, [b"1", b"2", b"3"])
    produce(topic, [b"4" * 100], compression_type="zstd")
    produce(other, [b"5"] * 50)
    monkeypatch.setattr("stream.logs.kafka_source._BUFFER_RECORDS", 2)
    monkeypatch.setattr("kafka.codec.has_zstd", lambda: False)
    source = kafka.source([topic, other])
    found: list[bytes | None] = []

    def read() -> None:
        for _ in range(100):
            found.extend(record.value for record in source.poll(1, 5))

    with pytest.raises(UndecodableBatchError):
        read()
    assert set(found) <= {b"1", b"2", b"3"}


@only_python
def test_a_gzip_bomb_is_refused(kafka: KafkaLog, topic: str, produce: Produce) -> None:
    produce(
        topic,
        [bytes(1_000_000)] * 70,
        compression_type="gzip",
        batch_size=100_000_000,
        max_request_size=100_000_000,
    )
    source = kafka.source([topic])
    with pytest.raises(UndecodableBatchError, match="unfolds into more than 67,108,864 bytes"):
        source.poll(10, 10)


def test_a_damaged_batch_is_found(own_broker: LocalKafka, kind: type[KafkaLog]) -> None:
    log = kind(own_broker.url)
    log.create_topics({"damaged": 1})
    sink = log.sink()
    for value in (b"whole", b"broken" * 10, b"behind"):
        sink.append([NewRecord("damaged", None, value)]).offsets()
    log.close()
    own_broker.stop()
    _flip_a_byte(own_broker.data / "log" / "damaged-0" / f"{0:020}.log", b"broken")
    own_broker.start()
    log = kind(own_broker.url)
    source = log.source(["damaged"])
    assert [record.value for record in source.poll(10, 10)] == [b"whole"]
    for _ in range(3):
        with pytest.raises(UndecodableBatchError, match=r"(?i)crc") as raised:
            source.poll(10, 30)
        assert raised.value.offset == 1
    source.seek({TopicPartition("damaged", 0): 2})
    assert [record.value for record in source.poll(10, 5)] == [b"behind"]
    log.close()


def _flip_a_byte(path: Path, near: bytes) -> None:
    data = bytearray(path.read_bytes())
    data[data.index(near)] ^= 1
    path.write_bytes(data)
