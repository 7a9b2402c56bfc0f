"""Brokers that a test may stop, and producers that do what ours never does."""

from __future__ import annotations

import gc
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from stream.logs.kafka_log import KafkaLog
from stream.logs.librdkafka_log import LibrdkafkaLog
from tests.kafka.broker import LocalKafka


@pytest.fixture(params=[KafkaLog, LibrdkafkaLog], ids=["kafka-python", "librdkafka"])
def kind(request: pytest.FixtureRequest) -> type[KafkaLog]:
    """Return the log of one client, then that of the other."""
    chosen: type[KafkaLog] = request.param
    return chosen


only_python = pytest.mark.parametrize("kind", [KafkaLog], ids=["kafka-python"], indirect=False)
"""For what librdkafka does not do, or not so."""


@pytest.fixture
def kafka(kind: type[KafkaLog], kafka_broker: LocalKafka) -> Iterator[KafkaLog]:
    """Return a log on the shared broker."""
    log = kind(kafka_broker.url)
    yield log
    log.close()


@pytest.fixture
def topic(kafka: KafkaLog) -> str:
    """Return a new topic of one partition on the shared broker."""
    name = f"t.{uuid.uuid4().hex[:10]}"
    kafka.create_topics({name: 1})
    return name


@pytest.fixture
def produce(kafka_broker: LocalKafka) -> Callable[..., None]:
    """Return a function that appends values in one batch, with a producer's settings."""
    from kafka import KafkaProducer

    def append(topic: str, values: list[bytes], **settings: Any) -> None:
        producer = KafkaProducer(
            bootstrap_servers=[kafka_broker.url.removeprefix("kafka://")],
            linger_ms=1_000,
            **{"batch_size": 1_000_000} | settings,
        )
        futures = [producer.send(topic, value) for value in values]
        producer.flush()
        for future in futures:
            future.get(10)
        producer.close()

    return append


@pytest.fixture
def own_broker(kafka_broker: LocalKafka) -> Iterator[LocalKafka]:
    """Return a running broker for one test alone, which may stop it.

    kafka-python 3.0.12 leaves the socket of a refused connection to the garbage collector. Tests
    with such connections ignore that warning, and here it comes while they still do.
    """
    broker = LocalKafka(is_brief=True)
    try:
        broker.start()
        yield broker
    finally:
        broker.remove()
        gc.collect()
