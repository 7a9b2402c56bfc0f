"""A writer to Kafka: acknowledged by all replicas, in order, without repeats, in bounded memory."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from threading import Lock
from typing import Any

from kafka import KafkaProducer
from kafka import errors as kafka_errors
from kafka.serializer import Serializer

from stream.errors import (
    LogError,
    LogUnreachableError,
    NotAcknowledgedError,
    PartitionNotFoundError,
    RecordTooLargeError,
    TopicNotFoundError,
)
from stream.logs.kafka_connection import KafkaAddress
from stream.logs.kafka_failures import keep_failures_local
from stream.logs.kafka_silence import Telling
from stream.logs.log_rules import refuse_too_large
from stream.records import NewRecord, TopicPartition

BUFFER_BYTES = 32 * 1024 * 1024
RECORD_OVERHEAD = 100
LARGEST_REQUEST = 16 * 1024 * 1024
BATCH_BYTES = 256 * 1024
LINGER_MILLISECONDS = 5
DELIVERY_SECONDS = 60.0
CLOSE_SECONDS = 5.0
TELL_SECONDS = 5.0
"""After so long without an acknowledgement it is said that the cluster is silent."""


class KnownTopics:
    """The topics that exist. Nothing is sent to others: a broker might create them.

    Parameters
    ----------
    address
        The cluster.
    list_topics
        Asks for the number of partitions of every topic.
    """

    def __init__(self, address: KafkaAddress, list_topics: Callable[[], Mapping[str, int]]) -> None:
        self._url = address.url
        self._telling = Telling(address)
        self._list = list_topics
        self._known: dict[str, int] = {}

    def refuse_unknown(self, records: Sequence[NewRecord]) -> None:
        """Ask again where a record goes to what was not there, and raise if it still is not.

        Raises
        ------
        TopicNotFoundError, PartitionNotFoundError
        NotAcknowledgedError
            When the cluster does not answer; who has more time may ask again.
        """
        wanted = {(record.topic, record.partition) for record in records}
        if all(0 <= (partition or 0) < self._known.get(topic, 0) for topic, partition in wanted):
            return
        try:
            self._known = dict(self._list())
        except LogUnreachableError as error:
            self._telling.silent(0.0, str(error))
            raise NotAcknowledgedError(str(error)) from error
        self._telling.heard()
        for topic, partition in wanted:
            if topic not in self._known:
                raise TopicNotFoundError(topic, self._url, sorted(self._known))
            if not 0 <= (partition or 0) < self._known[topic]:
                raise PartitionNotFoundError(topic, partition or 0, self._known[topic])


class _Nothing:
    """Stands for a missing value: kafka-python refuses a record with neither key nor value."""


_NOTHING = _Nothing()


class _PassingSerializer(Serializer):  # type: ignore[misc]  # kafka-python has no types
    def serialize(self, topic: str, headers: Any, data: Any) -> Any:
        return None if data is _NOTHING else data


class _Sent:
    """A record on its way; ``is_told`` once who appended it has heard that it failed."""

    __slots__ = ("future", "is_told", "size", "topic")

    def __init__(self, topic: str, size: int, future: Any) -> None:
        self.topic = topic
        self.size = size
        self.future = future
        self.is_told = False


class _Waits:
    """Waits for acknowledgements, and says once that none come."""

    def __init__(self, address: KafkaAddress) -> None:
        self._address = address
        self._since: float | None = None
        self._telling = Telling(address)

    def settle(self, sent: _Sent, deadline: float) -> tuple[TopicPartition, int]:
        """Return where a record stands, or raise what became of it."""
        address = self._address
        self._wait(sent.future, deadline)
        if not sent.future.is_done:
            raise NotAcknowledgedError(not_acknowledged(address, sent.topic))
        try:
            metadata = sent.future.get(timeout=0.0)
        except kafka_errors.MessageSizeTooLargeError as error:
            # Batches that travel together fail together, so this may not be the large one.
            raise RecordTooLargeError(sent.topic, None, None) from error
        except kafka_errors.KafkaTimeoutError as error:
            raise LogUnreachableError(not_acknowledged(address, sent.topic)) from error
        except kafka_errors.KafkaError as error:
            raise address.translate(error, f"appending to topic {sent.topic}") from error
        return TopicPartition(metadata.topic, metadata.partition), metadata.offset

    def tell(self) -> None:
        """Say that none come, once."""
        self._telling.silent(TELL_SECONDS, "records are not acknowledged")

    def _wait(self, future: Any, deadline: float) -> None:
        if not future.is_done:
            self._since = self._since or time.monotonic()
            tell_at = self._since + TELL_SECONDS
            if not self._telling.is_told and tell_at < deadline:
                _wait_until(future, tell_at)
                if not future.is_done:
                    self.tell()
            _wait_until(future, deadline)
        if future.is_done:
            self._since = None
            self._telling.heard()


def not_acknowledged(address: KafkaAddress, topic: str) -> str:
    """Return what is said of a record that no broker has acknowledged in time."""
    return (
        f"{address.url}: a record for topic {topic!r} was not acknowledged in time: check "
        "that the broker runs and has enough replicas in sync"
    )


def _wait_until(future: Any, moment: float) -> None:
    with suppress(kafka_errors.KafkaError):
        future.get(timeout=max(0.0, moment - time.monotonic()))


class KafkaReceipt:
    """Records on their way."""

    def __init__(self, waits: _Waits, sent: list[_Sent]) -> None:
        self._waits = waits
        self._sent = sent

    def offsets(self, timeout_seconds: float = 30.0) -> list[tuple[TopicPartition, int]]:
        """Wait until the records are durable; return where each one stands, in order."""
        deadline = time.monotonic() + timeout_seconds
        return [self._settle(sent, deadline) for sent in self._sent]

    def _settle(self, sent: _Sent, deadline: float) -> tuple[TopicPartition, int]:
        try:
            return self._waits.settle(sent, deadline)
        except NotAcknowledgedError:
            raise
        except LogError:
            sent.is_told = True
            raise


class KafkaSink:
    """Appends to Kafka. Records wait some milliseconds to travel in one batch.

    Where a topic's own limit is smaller than ``MAX_RECORD_BYTES``, that is found out when a record
    is sent: ``flush`` and ``Receipt.offsets`` raise RecordTooLargeError, and it may be that some of
    the records beside it are written and others are not.

    Parameters
    ----------
    address
        How to reach the cluster.
    known
        Refuses topics that do not exist.
    """

    def __init__(self, address: KafkaAddress, known: KnownTopics) -> None:
        self._address = address
        self._known = known
        self._waits = _Waits(address)
        self._lock = Lock()
        self._on_the_way: deque[_Sent] = deque()
        self._bytes = 0
        self._failure: tuple[_Sent, LogError] | None = None
        self._delivery_seconds = max(DELIVERY_SECONDS, address.patience_seconds)
        self.is_closed = False
        with address.translated("opening a producer"):
            self._producer = KafkaProducer(
                **address.settings,
                acks="all",
                enable_idempotence=True,
                compression_type="lz4",
                linger_ms=LINGER_MILLISECONDS,
                batch_size=BATCH_BYTES,
                max_request_size=LARGEST_REQUEST,
                delivery_timeout_ms=self._delivery_seconds * 1000,
                request_timeout_ms=15_000,
                max_block_ms=10_000,
                allow_auto_create_topics=False,
                value_serializer=_PassingSerializer(),
                metrics_enabled=False,
            )
        keep_failures_local(self._producer)

    def append(self, records: Sequence[NewRecord]) -> KafkaReceipt:
        """Hand records over, in order. Blocks while too many bytes are on their way.

        Raises
        ------
        LogUnreachableError, RecordTooLargeError, TopicNotFoundError, PartitionNotFoundError,
        NotAcknowledgedError
        """
        refuse_too_large(records)
        self._known.refuse_unknown(records)
        sent = []
        with self._lock, self._address.translated("appending"):
            self._find({record.topic for record in records})
            for record in records:
                item = self._send(record)
                self._on_the_way.append(item)
                self._bytes += item.size
                sent.append(item)
                self._settle_finished()
                while self._bytes > BUFFER_BYTES:
                    self._settle_first(time.monotonic() + self._delivery_seconds)
        return KafkaReceipt(self._waits, sent)

    def flush(self, timeout_seconds: float = 30.0) -> None:
        """Wait until all records are durable, and raise the first failure since the last flush.

        What a receipt has raised is not raised again: its owner has seen to it.
        """
        deadline = time.monotonic() + timeout_seconds
        with self._lock:
            while self._on_the_way:
                self._settle_first(deadline)
            failure, self._failure = self._failure, None
        if failure is not None and not failure[0].is_told:
            raise failure[1]

    def close(self) -> None:
        """Flush, and close the connections."""
        if self.is_closed:
            return
        self.is_closed = True
        try:
            self.flush(CLOSE_SECONDS)
        finally:
            # What could not be flushed has been raised; it cannot be flushed now.
            with suppress(kafka_errors.KafkaTimeoutError):
                self._producer.close(timeout=1)

    def _find(self, topics: Iterable[str]) -> None:
        """Let the producer hear where topics are, before anything is sent to one of them."""
        for topic in topics:
            try:
                self._producer.partitions_for(topic)
            except kafka_errors.KafkaTimeoutError as error:
                self._waits.tell()
                raise NotAcknowledgedError(not_acknowledged(self._address, topic)) from error

    def _send(self, record: NewRecord) -> _Sent:
        value = _NOTHING if record.value is None else record.value
        future = self._producer.send(
            record.topic, value, record.key, list(record.headers), record.partition
        )
        return _Sent(record.topic, record.size + RECORD_OVERHEAD, future)

    def _settle_finished(self) -> None:
        while self._on_the_way and self._on_the_way[0].future.is_done:
            self._settle_first(time.monotonic())

    def _settle_first(self, deadline: float) -> None:
        """Wait for the oldest record; keep its failure for ``flush``, unless time is over."""
        first = self._on_the_way[0]
        try:
            self._waits.settle(first, deadline)
        except NotAcknowledgedError:
            raise
        except LogError as error:
            if self._failure is None or self._failure[0].is_told:
                self._failure = first, error
        self._bytes -= self._on_the_way.popleft().size
