"""The three event logs, Kafka by both its clients, behind one face for the tests."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from stream.log import Log
from stream.logs.memory_log import MemoryLog
from stream.logs.open_log import open_log
from stream.logs.sqlite_log import SqliteLog
from stream.records import NewRecord, TopicPartition


class Backend(NamedTuple):
    """One kind of log: ``open`` gives a new handle on the same records."""

    name: str
    open: Callable[[], Log]
    expire: Callable[[TopicPartition, int], None]
    patience: float

    def topic(self, word: str = "events") -> str:
        """Return a name that no other test uses."""
        return f"{word}.{uuid.uuid4().hex[:10]}"

    def filled(self, *values: bytes, word: str = "events") -> str:
        """Return a new topic of one partition that holds these values."""
        topic = self.topic(word)
        log = self.open()
        log.create_topics({topic: 1})
        log.sink().append([NewRecord(topic, None, value) for value in values]).offsets()
        return topic


def _memory() -> Backend:
    clock = itertools.count(1_000)
    log = MemoryLog(clock=lambda: next(clock))
    return Backend("memory", lambda: log, log.expire, 0.01)


def _expire_in_sqlite(log: SqliteLog, partition: TopicPartition, before: int) -> None:
    """Keep what stands behind an offset; the tests' topics have one partition."""
    source = log.source([partition.topic])
    end = source.bounds()[partition].end
    source.close()
    log.expire(partition.topic, keep_records=end - before)


@pytest.fixture(params=["memory", "sqlite", "kafka-python", "librdkafka"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    """Return one of the logs; whatever a test opens is closed after it."""
    if request.param == "memory":
        yield _memory()
        return
    opened: list[Log] = []

    def opener(url: str) -> Callable[[], Log]:
        def open_one() -> Log:
            opened.append(open_log(url))
            return opened[-1]

        return open_one

    if request.param == "sqlite":
        path = tmp_path / "log.db"
        keeper = SqliteLog(path)
        yield Backend(
            "sqlite",
            opener(f"sqlite:///{path}"),
            lambda partition, before: _expire_in_sqlite(keeper, partition, before),
            0.01,
        )
    else:
        broker = request.getfixturevalue("kafka_broker")
        scheme = "kafka+python" if request.param == "kafka-python" else "kafka+librdkafka"
        url = broker.url.replace("kafka", scheme, 1)
        yield Backend(request.param, opener(url), _expire_in_kafka(broker.url), 0.5)
    for log in opened:
        log.close()


def _expire_in_kafka(url: str) -> Callable[[TopicPartition, int], None]:
    from kafka import KafkaAdminClient
    from kafka import TopicPartition as KafkaPartition

    def expire(partition: TopicPartition, before: int) -> None:
        admin = KafkaAdminClient(bootstrap_servers=[url.removeprefix("kafka://")])
        admin.delete_records({KafkaPartition(*partition): before})
        admin.close()

    return expire


@pytest.fixture
def log(backend: Backend) -> Log:
    """Return a handle on the log."""
    return backend.open()
