"""Writing by librdkafka: acknowledged by all replicas, in order, without repeats, bounded."""

from __future__ import annotations

import time
from collections.abc import Sequence
from threading import Lock

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from stream.errors import LogError, LogUnreachableError, NotAcknowledgedError, RecordTooLargeError
from stream.logs.kafka_connection import KafkaAddress
from stream.logs.kafka_silence import Telling
from stream.logs.kafka_sink import (
    BATCH_BYTES,
    BUFFER_BYTES,
    CLOSE_SECONDS,
    DELIVERY_SECONDS,
    LARGEST_REQUEST,
    LINGER_MILLISECONDS,
    RECORD_OVERHEAD,
    TELL_SECONDS,
    KnownTopics,
    not_acknowledged,
)
from stream.logs.librdkafka_settings import client_settings, translated
from stream.logs.log_rules import refuse_too_large
from stream.records import NewRecord, TopicPartition

_SLICE_SECONDS = 0.02
"""Reports are served by whoever polls; another thread's wait ends after so long."""

_FLUSH_SECONDS = 0.5
"""Nothing interrupts a flush, so that a signal waits for so long."""

_TIMED_OUT = (KafkaError._MSG_TIMED_OUT, KafkaError._TIMED_OUT)  # noqa: SLF001 (its own codes)


class _Sent:
    """A record on its way; librdkafka calls it when the record has arrived, or failed.

    ``is_told`` once who appended it has heard that it failed.
    """

    __slots__ = ("error", "is_told", "offset", "partition", "sink", "size", "topic")

    def __init__(self, sink: NativeSink, topic: str, size: int) -> None:
        self.sink = sink
        self.topic = topic
        self.size = size
        self.partition: int | None = None
        self.offset = -1
        self.error: KafkaError | None = None
        self.is_told = False

    @property
    def is_done(self) -> bool:
        return self.partition is not None or self.error is not None

    def __call__(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self.offset = message.offset() or 0
            self.partition = message.partition()
        else:
            self.error = error
        self.sink.settled(self)


class _Waits:
    """Says once that no acknowledgements come while somebody waits for them, and when they do."""

    def __init__(self, address: KafkaAddress) -> None:
        self._address = address
        self._since: float | None = None
        self._telling = Telling(address)

    def left(self, topic: str, until: float, at_most: float) -> float:
        """Return for how long to wait now; raise where the time is over."""
        now = time.monotonic()
        self._since = self._since or now
        if now - self._since > TELL_SECONDS:
            self._telling.silent(now - self._since, "records are not acknowledged")
        if now >= until:
            raise NotAcknowledgedError(not_acknowledged(self._address, topic))
        return min(until - now, at_most)

    def heard(self) -> None:
        """Note that a record was acknowledged."""
        self._since = None
        self._telling.heard()


class NativeReceipt:
    """Records on their way."""

    def __init__(self, sink: NativeSink, sent: list[_Sent]) -> None:
        self._sink = sink
        self._sent = sent

    def offsets(self, timeout_seconds: float = 30.0) -> list[tuple[TopicPartition, int]]:
        """Wait until the records are durable; return where each one stands, in order."""
        return self._sink.places_of(self._sent, timeout_seconds)


class NativeSink:
    """Appends to Kafka by librdkafka; promises what ``KafkaSink`` does.

    Keys go to the partitions to which kafka-python and Java's client send them.

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
        self._counting = Lock()
        self._on_the_way: dict[_Sent, None] = {}
        self._bytes = 0
        self._failure: _Sent | None = None
        self._delivery_seconds = max(DELIVERY_SECONDS, address.patience_seconds)
        self.is_closed = False
        self._producer = Producer(
            client_settings(address)
            | {
                "acks": "all",
                "enable.idempotence": True,
                "compression.type": "lz4",
                "partitioner": "murmur2_random",
                "linger.ms": LINGER_MILLISECONDS,
                "batch.size": BATCH_BYTES,
                "message.max.bytes": LARGEST_REQUEST,
                "message.timeout.ms": int(self._delivery_seconds * 1000),
                "request.timeout.ms": 15_000,
                # Our own bound on bytes is what holds; this one only has to be beyond it.
                "queue.buffering.max.messages": 2 * BUFFER_BYTES // RECORD_OVERHEAD,
                "queue.buffering.max.kbytes": 4 * BUFFER_BYTES // 1024,
            }
        )

    def append(self, records: Sequence[NewRecord]) -> NativeReceipt:
        """Hand records over, in order. Blocks while too many bytes are on their way.

        Raises
        ------
        LogUnreachableError, RecordTooLargeError, TopicNotFoundError, PartitionNotFoundError,
        NotAcknowledgedError
        """
        refuse_too_large(records)
        self._known.refuse_unknown(records)
        with self._lock:
            sent = [self._send(record) for record in records]
        self._producer.poll(0)
        return NativeReceipt(self, sent)

    def flush(self, timeout_seconds: float = 30.0) -> None:
        """Wait until all records are durable, and raise the first failure since the last flush.

        What a receipt has raised is not raised again: its owner has seen to it.
        """
        until = time.monotonic() + timeout_seconds
        with self._lock:
            while (first := self._first()) is not None:
                self._producer.flush(self._waits.left(first.topic, until, _FLUSH_SECONDS))
            failure, self._failure = self._failure, None
        if failure is not None and failure.error is not None and not failure.is_told:
            raise self._error_of(failure.topic, failure.error)

    def close(self) -> None:
        """Flush, and close the connections."""
        if self.is_closed:
            return
        self.is_closed = True
        try:
            self.flush(CLOSE_SECONDS)
        finally:
            # What could not be flushed has been raised; it cannot be flushed now.
            self._producer.purge()
            self._producer.flush(1)

    def settled(self, sent: _Sent) -> None:
        """Take note that a record has arrived or failed; called while somebody polls."""
        with self._counting:
            self._bytes -= sent.size
            self._on_the_way.pop(sent, None)
            if sent.error is None:
                self._waits.heard()
            elif self._failure is None or self._failure.is_told:
                self._failure = sent

    def places_of(
        self, sent: Sequence[_Sent], timeout_seconds: float
    ) -> list[tuple[TopicPartition, int]]:
        """Wait until records are durable; return where they stand.

        Raises
        ------
        RecordTooLargeError, LogUnreachableError, LogError
        """
        until = time.monotonic() + timeout_seconds
        return [self._place_of(one, until) for one in sent]

    def _place_of(self, sent: _Sent, until: float) -> tuple[TopicPartition, int]:
        while not sent.is_done:
            self._producer.poll(self._waits.left(sent.topic, until, _SLICE_SECONDS))
        if sent.error is not None:
            sent.is_told = True
            raise self._error_of(sent.topic, sent.error)
        return TopicPartition(sent.topic, sent.partition or 0), sent.offset

    def _send(self, record: NewRecord) -> _Sent:
        sent = _Sent(self, record.topic, record.size + RECORD_OVERHEAD)
        with self._counting:
            self._bytes += sent.size
            self._on_the_way[sent] = None
        try:
            until = time.monotonic() + self._delivery_seconds
            while self._bytes > BUFFER_BYTES and len(self._on_the_way) > 1:
                self._producer.poll(self._waits.left(record.topic, until, _SLICE_SECONDS))
            self._producer.produce(
                record.topic,
                record.value,
                record.key,
                -1 if record.partition is None else record.partition,
                on_delivery=sent,
                headers=list(record.headers),
            )
        except LogUnreachableError:
            self._forget(sent)
            raise
        except KafkaException as error:
            self._forget(sent)
            raise self._error_of(record.topic, error.args[0]) from error
        return sent

    def _forget(self, sent: _Sent) -> None:
        with self._counting:
            self._bytes -= sent.size
            self._on_the_way.pop(sent, None)

    def _first(self) -> _Sent | None:
        with self._counting:
            return next(iter(self._on_the_way), None)

    def _error_of(self, topic: str, error: KafkaError) -> LogError:
        code = error.code()
        if code == KafkaError.MSG_SIZE_TOO_LARGE:
            # Batches that travel together fail together, so this may not be the large one.
            return RecordTooLargeError(topic, None, None)
        if code in _TIMED_OUT:
            return LogUnreachableError(not_acknowledged(self._address, topic))
        return translated(self._address, error, f"appending to topic {topic}")
