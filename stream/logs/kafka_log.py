"""The event log of production: Apache Kafka."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Protocol, TypeVar

from kafka import KafkaAdminClient
from kafka import errors as kafka_errors
from kafka.admin import ConfigResource, ConfigResourceType

from stream.errors import TopicNotFoundError
from stream.log import MAX_RECORD_BYTES, Sink
from stream.logs.kafka_connection import KafkaAddress, quiet_client
from stream.logs.kafka_membership import KafkaMembership
from stream.logs.kafka_reader import PythonReader, Reader
from stream.logs.kafka_security import Credentials
from stream.logs.kafka_sink import KafkaSink, KnownTopics
from stream.logs.kafka_source import KafkaSource, committed_offsets
from stream.logs.log_rules import refuse_bad_topic
from stream.records import Offsets, TopicPartition

TIMESTAMPS = "message.timestamp.type"
"""Of a topic: whose clock its records' times are from."""
_BATCH_OVERHEAD_BYTES = 64 * 1024
"""What Kafka writes around a record, header by header, and counts as part of its size."""


class _Open(Protocol):
    @property
    def is_closed(self) -> bool: ...

    def close(self) -> None: ...


_Opened = TypeVar("_Opened", bound=_Open)


class KafkaLog:
    """An event log on a Kafka cluster, read and written by kafka-python.

    Parameters
    ----------
    url
        Such as ``kafka://one:9092,two:9092``. ``?name=value&...`` may hold the options.
    options
        The keys of the configuration's ``[kafka]``, as text.
    credentials
        For TLS and SASL. They never belong in the URL.
    patience_seconds
        How long sources and sinks bear a cluster that does not answer.

    Raises
    ------
    InputError
        When the URL or an option is wrong.
    LogUnreachableError
        When no broker answers within some ten seconds.
    """

    transport = PythonReader.transport

    def __init__(
        self,
        url: str,
        *,
        options: Mapping[str, str] | None = None,
        credentials: Credentials | None = None,
        patience_seconds: float = 120.0,
    ) -> None:
        self._address = KafkaAddress.parse(
            url, options or {}, credentials or Credentials(), patience_seconds
        )
        self.url = self._address.url
        self._opened: list[_Open] = []
        quiet_client()
        self._address.reach()
        with self._address.translated("connecting"):
            self._admin = KafkaAdminClient(**self._address.settings, request_timeout_ms=10_000)

    def topics(self) -> dict[str, int]:
        """Return the number of partitions of every topic, without Kafka's internal ones."""
        with self._address.translated("listing topics"):
            found: list[dict[str, Any]] = self._admin.describe_topics()
        return {
            topic["name"]: len(topic["partitions"]) for topic in found if not topic["is_internal"]
        }

    def create_topics(self, topics: Mapping[str, int]) -> None:
        """Create those of the topics that do not exist, with the cluster's replication factor.

        They hold records of up to ``MAX_RECORD_BYTES``, and delete the old ones in time. Their
        times are the broker's: by those of the producers, whose clocks differ and jump, labels
        would be read again in another order than they came.
        """
        for topic, count in topics.items():
            refuse_bad_topic(topic, count)
        known = self.topics()
        limit = MAX_RECORD_BYTES + _BATCH_OVERHEAD_BYTES
        configs = {
            "cleanup.policy": "delete",
            "max.message.bytes": str(limit),
            TIMESTAMPS: "LogAppendTime",
        }
        wanted = {
            topic: {"num_partitions": count, "configs": configs}
            for topic, count in topics.items()
            if topic not in known
        }
        with self._address.translated("creating topics"):
            for topic, description in wanted.items():
                try:
                    self._admin.create_topics({topic: description})
                except kafka_errors.TopicAlreadyExistsError:
                    # Somebody else made it at the same time.
                    continue
            self._admin.wait_for_topics(list(wanted))

    def retention_ms(self, topics: Sequence[str]) -> dict[str, int | None]:
        """Return how long the cluster keeps records of topics; None for ever.

        Raises
        ------
        LogError
            Also where it may not be asked for.
        """
        kept = self._settings(topics, "retention.ms")
        return {topic: None if int(ms) < 0 else int(ms) for topic, ms in kept.items()}

    def stamped_by_producers(self, topics: Sequence[str]) -> list[str]:
        """Return the topics whose records have their producer's time, not the broker's.

        Raises
        ------
        LogError
            Also where it may not be asked for.
        """
        found = self._settings(topics, TIMESTAMPS)
        return [topic for topic, kind in found.items() if kind != "LogAppendTime"]

    def _settings(self, topics: Sequence[str], name: str) -> dict[str, str]:
        asked = [ConfigResource(ConfigResourceType.TOPIC, topic, {name: None}) for topic in topics]
        with self._address.translated("asking for topics' settings"):
            found = self._admin.describe_configs(asked, config_filter="all")
        return {topic: of[name]["value"] for topic, of in found["topic"].items()}

    def source(
        self, topics: Sequence[str], group: str | None = None, *, partition: int | None = None
    ) -> KafkaSource:
        """Open a reader, at each partition's earliest offset."""
        known = self.topics()
        for topic in topics:
            if topic not in known:
                raise TopicNotFoundError(topic, self.url, list(known))
        partitions = tuple(
            TopicPartition(topic, number)
            for topic in topics
            for number in (range(known[topic]) if partition is None else [partition])
        )
        with self._address.translated("opening a consumer"):
            reader = self._reader(group)
        grows = partition is None
        made = KafkaSource(self._address, self._admin, reader, partitions, group, grows=grows)
        return self._keep(made)

    def sink(self) -> Sink:
        """Open a writer."""
        return self._keep(KafkaSink(self._address, KnownTopics(self._address, self.topics)))

    def membership(self, group: str, topic: str, session_seconds: float) -> KafkaMembership:
        """Join a consumer group, which shares out the partitions of a topic."""
        return self._keep(KafkaMembership(self._address, topic, group, session_seconds))

    def committed(self, group: str) -> Offsets:
        """Return the offsets that a group's source committed."""
        with self._address.translated(f"asking for offsets of group {group}"):
            return committed_offsets(self._admin, group)

    def close(self) -> None:
        """Close every source and sink that was opened here, and the connections."""
        with ExitStack() as closing:
            closing.callback(self._admin.close)
            for opened in self._opened:
                closing.callback(opened.close)
            self._opened.clear()

    def _reader(self, _group: str | None) -> Reader:
        return PythonReader(self._address)

    def _keep(self, opened: _Opened) -> _Opened:
        self._opened = [one for one in self._opened if not one.is_closed]
        self._opened.append(opened)
        return opened
