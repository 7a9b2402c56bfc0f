"""What reads batches from Kafka: the contract of both transports, and kafka-python's."""

from __future__ import annotations

from collections.abc import Container, Iterable
from importlib.metadata import version
from typing import Any, Protocol

from kafka import KafkaConsumer
from kafka import TopicPartition as KafkaPartition
from kafka import errors as kafka_errors

from stream.errors import OffsetTruncatedError
from stream.logs.kafka_batches import give_back_paused, make_unpacking_safe
from stream.logs.kafka_connection import KafkaAddress
from stream.records import Headers, Offsets, Record, TopicPartition

METADATA_SECONDS = 2.0
"""How old a reader lets its knowledge of topics become."""

MAX_WAIT_MILLISECONDS = 100
FETCH_BYTES = 1_048_576
"""Of one partition, in one answer of a broker."""

Fetched = dict[TopicPartition, list[Record]]
Known = tuple[Any, Iterable[int]]
"""A topic's id, None where it is not known, and the numbers of its partitions."""


class Reader(Protocol):
    """Brings the next records of partitions, in whatever order over several of them.

    ``KafkaSource`` merges them. Positions are the next offsets to fetch: markers of transactions
    are behind them.
    """

    transport: str

    def go_to(self, offsets: Offsets) -> None:
        """Read these partitions, and no others, from there on."""

    def add(self, offsets: Offsets) -> None:
        """Read these partitions too."""

    def position(self, partition: TopicPartition) -> int:
        """Return the next offset to fetch; -1 where it is not known yet."""

    def fetch(self, seconds: float, max_records: int) -> Fetched:
        """Return what has come, and wait for something where nothing has.

        Raises
        ------
        kafka.errors.OffsetOutOfRangeError
            When some position is outside of what its partition holds.
        OffsetTruncatedError, UndecodableBatchError, LogUnreachableError
        """

    def pause(self, full: Container[TopicPartition]) -> None:
        """Fetch these no further; the others go on."""

    def known(self, topic: str) -> Known:
        """Return what was last heard of a topic. Never blocks."""

    def close(self) -> None:
        """Close the connections."""


class PythonReader:
    """Reads by kafka-python.

    Parameters
    ----------
    address
        How to reach the cluster.
    """

    transport = f"kafka-python {version('kafka-python')}"

    def __init__(self, address: KafkaAddress) -> None:
        self._address = address
        self._partitions: tuple[TopicPartition, ...] = ()
        self._consumer = KafkaConsumer(
            **address.settings,
            auto_offset_reset="none",
            enable_auto_commit=False,
            allow_auto_create_topics=False,
            isolation_level="read_committed",
            fetch_max_wait_ms=MAX_WAIT_MILLISECONDS,
            max_partition_fetch_bytes=FETCH_BYTES,
            metadata_max_age_ms=int(METADATA_SECONDS * 1000),
            metrics_enabled=False,
        )
        make_unpacking_safe(self._consumer)

    def go_to(self, offsets: Offsets) -> None:
        """Read these partitions, and no others, from there on."""
        if self._partitions != tuple(offsets):
            self._assign(tuple(offsets))
        for partition, offset in offsets.items():
            self._consumer.seek(KafkaPartition(*partition), offset)

    def add(self, offsets: Offsets) -> None:
        """Read these partitions too."""
        self._assign((*self._partitions, *offsets))
        for partition, offset in offsets.items():
            self._consumer.seek(KafkaPartition(*partition), offset)

    def position(self, partition: TopicPartition) -> int:
        """Return the next offset to fetch; -1 where it is not known yet."""
        position = self._consumer.position(KafkaPartition(*partition), timeout_ms=1)
        return -1 if position is None else int(position)

    def fetch(self, seconds: float, max_records: int) -> Fetched:
        """Return what has come, and wait for something where nothing has."""
        try:
            fetched = self._consumer.poll(int(seconds * 1000), max_records=max_records)
        except kafka_errors.OffsetOutOfRangeError:
            raise
        except kafka_errors.LogTruncationError as error:
            for (topic, number), found in error.divergent_offsets.items():
                partition = TopicPartition(topic, number)
                position = self.position(partition)
                raise OffsetTruncatedError(str(partition), position, found.offset) from error
            raise
        except kafka_errors.KafkaError as error:
            raise self._address.translate(error, "reading") from error
        return {TopicPartition(*tp): [_record(item) for item in fetched[tp]] for tp in fetched}

    def pause(self, full: Container[TopicPartition]) -> None:
        """Fetch these no further; the others go on."""
        for partition in self._partitions:
            change = self._consumer.pause if partition in full else self._consumer.resume
            change(KafkaPartition(*partition))
        give_back_paused(self._consumer)

    def known(self, topic: str) -> Known:
        """Return what was last heard of a topic. Never blocks."""
        cluster = self._consumer._cluster  # noqa: SLF001
        return cluster.topic_id(topic) or None, cluster.partitions_for_topic(topic) or ()

    def close(self) -> None:
        """Close the connections."""
        self._consumer.close(autocommit=False, timeout_ms=2_000)

    def _assign(self, partitions: tuple[TopicPartition, ...]) -> None:
        self._partitions = partitions
        self._consumer.assign([KafkaPartition(*partition) for partition in partitions])


def _record(item: Any) -> Record:
    return Record(
        item.topic,
        item.partition,
        item.offset,
        item.timestamp,
        item.key,
        item.value,
        headers_of(item.headers),
    )


def headers_of(found: Iterable[tuple[str, bytes | None]] | None) -> Headers:
    """Return headers as records have them.

    Kafka knows headers without a value; here they have an empty one.
    """
    return tuple((name, value or b"") for name, value in found) if found else ()
