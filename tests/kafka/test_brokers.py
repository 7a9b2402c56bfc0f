"""Brokers that are away, hang, or come back."""

from __future__ import annotations

import gc
import logging
import random
import threading
import time
import uuid

import pytest
from kafka.admin import ConfigResource, ConfigResourceType

from stream.errors import (
    InputError,
    LogUnreachableError,
    RecordTooLargeError,
    TopicNotFoundError,
)
from stream.logs.kafka_connection import KafkaAddress
from stream.logs.kafka_log import KafkaLog
from stream.logs.kafka_security import Credentials
from stream.logs.open_log import open_log
from stream.records import NewRecord
from tests.kafka.broker import PASSWORD, USER, LocalKafka, free_port

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def test_an_unreachable_broker_is_named_with_what_to_check() -> None:
    port = free_port()
    start = time.monotonic()
    with pytest.raises(LogUnreachableError, match=rf"127.0.0.1:{port}.*Check that the broker runs"):
        open_log(f"kafka://127.0.0.1:{port}")
    assert time.monotonic() - start < 10


def test_one_reachable_server_is_enough(kafka_broker: LocalKafka) -> None:
    away, here = free_port(), kafka_broker.port
    log = KafkaLog(f"kafka://127.0.0.1:{away},127.0.0.1:{here}")
    assert isinstance(log.topics(), dict)
    log.close()
    gc.collect()


def test_a_sink_creates_no_topic_by_mistake(kafka: KafkaLog) -> None:
    start = time.monotonic()
    with pytest.raises(TopicNotFoundError, match="nonesuch"):
        kafka.sink().append([NewRecord("nonesuch", None, b"")]).offsets()
    assert time.monotonic() - start < 5
    assert "nonesuch" not in kafka.topics()


def test_a_hanging_broker_is_reported_in_bounded_time(
    own_broker: LocalKafka, kind: type[KafkaLog], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.logs.kafka_silence._SILENCE_SECONDS", 0.5)
    log = kind(own_broker.url, patience_seconds=3.0)
    log.create_topics({"t": 1})
    source = log.source(["t"])

    def read() -> None:
        start = time.monotonic()
        while time.monotonic() - start < 60:
            before = time.monotonic()
            source.poll(10, 0.5)
            assert time.monotonic() - before < 15

    own_broker.suspend()
    try:
        with pytest.raises(LogUnreachableError, match=r"no session with Kafka|does not answer"):
            read()
        start = time.monotonic()
        with pytest.raises(LogUnreachableError):
            open_log(own_broker.url)
        assert time.monotonic() - start < 15
    finally:
        own_broker.resume()
    source.close()
    log.close()


def test_reader_and_writer_outlive_a_killed_broker(
    own_broker: LocalKafka, kind: type[KafkaLog]
) -> None:
    log = kind(own_broker.url)
    log.create_topics({"t": 1})
    sink, source = log.sink(), log.source(["t"])
    sink.append([NewRecord("t", None, b"%d" % n) for n in range(100)]).offsets()
    found = [record.value for record in source.poll(100, 10)]
    own_broker.kill()
    # Handed over while the broker is away, some by a thread that goes on meanwhile.
    sink.append([NewRecord("t", None, b"%d" % n) for n in range(100, 150)])
    writer = threading.Thread(
        target=lambda: [sink.append([NewRecord("t", None, b"%d" % n)]) for n in range(150, 200)]
    )
    writer.start()
    assert source.poll(10, 1) == []
    own_broker.start()
    writer.join(30)
    sink.flush()
    deadline = time.monotonic() + 30
    while len(found) < 200 and time.monotonic() < deadline:
        found += [record.value for record in source.poll(100, 1)]
    assert found == [b"%d" % n for n in range(200)]
    log.close()


def test_flush_says_that_the_broker_is_gone(own_broker: LocalKafka, kind: type[KafkaLog]) -> None:
    log = kind(own_broker.url)
    log.create_topics({"t": 1})
    sink = log.sink()
    sink.append([NewRecord("t", None, b"before")]).offsets()
    own_broker.kill()
    receipt = sink.append([NewRecord("t", None, b"lost?")])
    with pytest.raises(LogUnreachableError, match="not acknowledged in time"):
        sink.flush(timeout_seconds=1)
    with pytest.raises(LogUnreachableError, match="not acknowledged in time"):
        receipt.offsets(timeout_seconds=0.5)
    own_broker.start()
    sink.flush()
    assert receipt.offsets()[0][1] == 1
    log.close()


def test_a_user_with_a_password_reads_and_writes(
    kafka_broker: LocalKafka, kind: type[KafkaLog]
) -> None:
    log = kind(kafka_broker.sasl_url, credentials=Credentials(USER, PASSWORD))
    topic = uuid.uuid4().hex
    log.create_topics({topic: 1})
    log.sink().append([NewRecord(topic, None, b"mine")]).offsets()
    assert [record.value for record in log.source([topic]).poll(10, 10)] == [b"mine"]
    assert PASSWORD not in log.url
    log.close()


def test_a_wrong_password_is_explained_in_time(kafka_broker: LocalKafka) -> None:
    start = time.monotonic()
    with pytest.raises(LogUnreachableError, match="RIVERRUN_KAFKA_PASSWORD") as raised:
        KafkaLog(kafka_broker.sasl_url, credentials=Credentials(USER, "wrong"))
    assert time.monotonic() - start < 10
    assert "wrong" not in str(raised.value)


def test_a_record_over_its_topic_s_limit_does_not_end_the_writer(kafka: KafkaLog) -> None:
    """kafka-python 3.0.12 lets whatever is sent after such a record fail with the same error."""
    small, large = uuid.uuid4().hex, uuid.uuid4().hex
    kafka.create_topics({small: 1, large: 1})
    limit = ConfigResource(ConfigResourceType.TOPIC, small, configs={"max.message.bytes": "1000"})
    kafka._admin.alter_configs([limit])
    sink = kafka.sink()
    noise = random.Random(5).randbytes(50_000)
    for number in range(3):
        receipt = sink.append([NewRecord(small, None, noise)])
        others = sink.append([NewRecord(large, None, b"%d" % n) for n in range(100)])
        with pytest.raises(RecordTooLargeError, match=small):
            receipt.offsets()
        assert [offset for _, offset in others.offsets()] == [
            *range(100 * number, 100 * (number + 1))
        ]
        assert sink.append([NewRecord(small, None, b"fits")]).offsets()[0][1] == number
        sink.flush()  # what the receipt has told is not told again


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("kafka://", "write kafka://host:9092"),
        ("kafka://host:port", "write kafka://host:9092"),
        ("kafka://host:70000", "write kafka://host:9092"),
        ("kafka://one:9092,,two", "write kafka://host:9092"),
        ("kafka://me:secret@host", "RIVERRUN_KAFKA_PASSWORD"),
        ("kafka://host?acks=0", "'acks' is not known"),
        ("kafka://host?security_protocol=TLS", "use PLAINTEXT, SSL"),
        ("kafka://host?security_protocol=SASL_SSL", "needs RIVERRUN_KAFKA_USERNAME"),
    ],
)
def test_a_wrong_url_is_explained(url: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint) as raised:
        open_log(url)
    assert "secret" not in str(raised.value)


def test_options_come_from_the_url_and_from_arguments() -> None:
    url = "kafka://one,[::1]:9093?security_protocol=SASL_PLAINTEXT"
    address = KafkaAddress.parse(url, {"sasl_mechanism": "PLAIN"}, Credentials("me", "secret"))
    assert address.servers == (("one", 9092), ("::1", 9093))
    assert address.settings["security_protocol"] == "SASL_PLAINTEXT"
    assert address.settings["sasl_mechanism"] == "PLAIN"
    assert address.settings["sasl_plain_password"] == "secret"
    assert "secret" not in repr(address)


def test_the_client_is_quiet_unless_somebody_wants_to_hear_it(
    kafka_broker: LocalKafka,
) -> None:
    logging.getLogger("kafka").setLevel(logging.NOTSET)
    try:
        KafkaLog(kafka_broker.url).close()
        assert not logging.getLogger("kafka").isEnabledFor(logging.ERROR)
        logging.getLogger("kafka").setLevel(logging.INFO)
        KafkaLog(kafka_broker.url).close()
        assert logging.getLogger("kafka").level == logging.INFO
    finally:
        logging.getLogger("kafka").setLevel(logging.CRITICAL)
