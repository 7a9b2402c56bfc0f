"""Reading by librdkafka: what a ``KafkaSource`` merges, fetched and unpacked in C threads."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from confluent_kafka import Consumer, KafkaError, Message
from confluent_kafka import TopicPartition as NativePartition
from kafka import errors as kafka_errors

from stream.errors import OffsetTruncatedError, UndecodableBatchError
from stream.logs.kafka_connection import KafkaAddress
from stream.logs.kafka_reader import (
    FETCH_BYTES,
    MAX_WAIT_MILLISECONDS,
    Fetched,
    Known,
    headers_of,
)
from stream.logs.librdkafka_settings import TRANSPORT, client_settings, translated
from stream.logs.librdkafka_topics import TopicsKnown
from stream.records import Offsets, Record, TopicPartition

_QUEUED_KILOBYTES = 64 * 1024
_QUEUED_MESSAGES = 20_000
"""What is kept ready behind what was fetched, over all partitions; and of each, where it can."""

# These are librdkafka's own codes, which it names with an underscore.
_END = KafkaError._PARTITION_EOF  # noqa: SLF001
_OUTSIDE = (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE)  # noqa: SLF001
_TRUNCATED = KafkaError._LOG_TRUNCATION  # noqa: SLF001
_UNDECODABLE = (
    KafkaError._BAD_MSG,  # noqa: SLF001
    KafkaError._BAD_COMPRESSION,  # noqa: SLF001
    KafkaError._NOT_IMPLEMENTED,  # noqa: SLF001
    KafkaError.INVALID_MSG,
)
_FORBIDDEN = (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED)


class NativeReader:
    """Reads by librdkafka.

    Parameters
    ----------
    address
        How to reach the cluster.
    group
        Only a name here: no group is joined, and nothing is committed.

    Notes
    -----
    Behind a batch that cannot be unpacked librdkafka goes on with the next one. Here that partition
    stands still, and every further fetch says so, until somebody goes elsewhere.
    """

    transport = TRANSPORT

    def __init__(self, address: KafkaAddress, group: str | None) -> None:
        self._address = address
        self._positions: Offsets = {}
        self._places: dict[Any, TopicPartition] = {}
        self._paused: set[TopicPartition] = set()
        self._is_assigned = False
        self._failures: dict[TopicPartition, Exception] = {}
        settings = client_settings(address)
        self._topics = TopicsKnown(settings)
        self._consumer = Consumer(
            settings
            | {
                "group.id": group or "riverrun",
                "auto.offset.reset": "error",
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "enable.partition.eof": True,
                "allow.auto.create.topics": False,
                "isolation.level": "read_committed",
                "check.crcs": True,
                "fetch.wait.max.ms": MAX_WAIT_MILLISECONDS,
                "fetch.message.max.bytes": FETCH_BYTES,
                "queued.min.messages": _QUEUED_MESSAGES,
                "queued.max.messages.kbytes": _QUEUED_KILOBYTES,
                # Of what is ready a fetch takes all at once; by default there is a second's pause.
                "fetch.queue.backoff.ms": 20,
            }
        )

    def go_to(self, offsets: Offsets) -> None:
        """Read these partitions, and no others, from there on."""
        # Not assigned before the first fetch: librdkafka would begin to read ahead at once, and
        # would then not notice that its next record expired.
        self.pause(())
        self._is_assigned = False
        self._failures.clear()
        self._positions = dict(offsets)
        self._places = {tuple(partition): partition for partition in offsets}
        self._topics.look_at({partition.topic for partition in offsets})

    def add(self, offsets: Offsets) -> None:
        """Read these partitions too."""
        self._positions |= offsets
        self._places |= {tuple(partition): partition for partition in offsets}
        if self._is_assigned:
            added = [NativePartition(*tp, at) for tp, at in offsets.items()]
            self._consumer.incremental_assign(added)

    def position(self, partition: TopicPartition) -> int:
        """Return the next offset to fetch; markers are behind it once the end was seen."""
        return self._positions[partition]

    def fetch(self, seconds: float, max_records: int) -> Fetched:
        """Return what has come, and wait for something where nothing has."""
        self._raise_failure()
        if not self._is_assigned:
            self._assign()
        # To wait for one: it would wait for all that it may return.
        found = self._consumer.consume(max_records, 0)
        if not found and (found := self._consumer.consume(1, seconds)):
            found += self._consumer.consume(max_records, 0)
        fetched: Fetched = {}
        for message in found:
            place = self._places.get((message.topic(), message.partition()))
            if (error := message.error()) is not None:
                if place is not None and place not in self._failures:
                    behind = fetched[place][-1].offset + 1 if place in fetched else None
                    self._hear(place, error, message.offset(), behind)
            elif place is not None and place not in self._failures:
                fetched.setdefault(place, []).append(_record(message, place))
        for place, records in fetched.items():
            self._positions[place] = max(records[-1].offset + 1, self._positions[place])
        if not fetched:
            self._raise_failure()
        return fetched

    def pause(self, full: Container[TopicPartition]) -> None:
        """Fetch these no further; the others go on."""
        wanted = {partition for partition in self._positions if partition in full}
        if not self._is_assigned:
            return
        if paused := wanted - self._paused:
            self._consumer.pause([NativePartition(*partition) for partition in paused])
        if resumed := self._paused - wanted:
            self._consumer.resume([NativePartition(*partition) for partition in resumed])
        self._paused = wanted

    def known(self, topic: str) -> Known:
        """Return what was last heard of a topic. Never blocks."""
        return self._topics.known(topic)

    def close(self) -> None:
        """Close the connections."""
        self._topics.close()
        self._consumer.close()

    def _assign(self) -> None:
        self._consumer.assign([NativePartition(*tp, at) for tp, at in self._positions.items()])
        self._is_assigned = True

    def _hear(
        self, place: TopicPartition, error: KafkaError, offset: int | None, behind: int | None
    ) -> None:
        """Take note of what came instead of a record, ``behind`` those of this fetch.

        Of brokers that do not answer nothing is noted here: ``Silence`` asks them itself.
        """
        code = error.code()
        position = self._positions[place] if behind is None else behind
        if code == _END:
            self._positions[place] = max(position, offset or 0)
        elif code in _OUTSIDE:
            self._failures[place] = kafka_errors.OffsetOutOfRangeError(str(place))
        elif code == _TRUNCATED:
            end = position if offset is None else min(position, max(0, offset))
            self._failures[place] = OffsetTruncatedError(str(place), position, end)
        elif code in _UNDECODABLE:
            self._failures[place] = UndecodableBatchError(str(place), position, error.str())
        elif code in _FORBIDDEN:
            self._failures[place] = translated(self._address, error, "reading")

    def _raise_failure(self) -> None:
        if not self._failures:
            return
        place, failure = next(iter(self._failures.items()))
        if not isinstance(failure, UndecodableBatchError | OffsetTruncatedError):
            # It may pass: the next fetch tries again from there.
            del self._failures[place]
            again = NativePartition(*place, self._positions[place])
            self._consumer.incremental_unassign([again])
            self._consumer.incremental_assign([again])
            self._paused.discard(place)
        raise failure


def _record(message: Message, place: TopicPartition) -> Record:
    # The types say that they may be missing; of what is no error they are there.
    found: Any = message
    return Record(
        place.topic,
        place.partition,
        found.offset(),
        found.timestamp()[1],
        found.key(),
        found.value(),
        headers_of(found.headers()),
    )
