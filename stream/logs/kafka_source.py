"""A reader of Kafka: all partitions of some topics, merged into one order, in bounded memory."""

from __future__ import annotations

import time
from collections.abc import Mapping

import structlog
from kafka import KafkaAdminClient, OffsetAndMetadata
from kafka import TopicPartition as KafkaPartition
from kafka import errors as kafka_errors

from stream.errors import LogError
from stream.log import Bounds
from stream.logs.kafka_connection import KafkaAddress
from stream.logs.kafka_offsets import commit_offsets, end_offsets, partition_bounds
from stream.logs.kafka_reader import Reader
from stream.logs.kafka_silence import Silence
from stream.logs.kafka_topics_watch import TopicsWatch
from stream.logs.log_rules import refuse_outside, starting_offsets
from stream.logs.merge import Merge
from stream.records import Offsets, Record, TopicPartition

_log = structlog.get_logger("riverrun.log")

_FETCH_RECORDS = 2_000
_SLICE_SECONDS = 0.1
_BUFFER_RECORDS, _BUFFER_BYTES = 100_000, 64 * 1024 * 1024
"""What waits in the merge, over all partitions; each has an equal part of it, and may go over by
what one fetch brings."""


class KafkaSource:
    """Reads some topics of a ``KafkaLog``. Not for several threads.

    It takes all partitions of its topics by itself: no group is joined, nothing rebalances.
    Records of transactions that were aborted are not returned.

    Parameters
    ----------
    address, admin
        How to reach the cluster, and a client that asks it for offsets.
    reader
        Brings the records, and is closed with this.
    partitions
        In order of topic as asked for, and number.
    group
        Under whose name ``commit`` copies offsets; None copies nothing.
    grows
        Whether a partition that is added while it reads is read too, from its beginning and from
        some seconds later on.
    """

    def __init__(
        self,
        address: KafkaAddress,
        admin: KafkaAdminClient,
        reader: Reader,
        partitions: tuple[TopicPartition, ...],
        group: str | None,
        *,
        grows: bool = True,
    ) -> None:
        self._address = address
        self._admin = admin
        self._partitions = partitions
        self._group = group
        self._merge = Merge(partitions)
        self._known_ends: Offsets = dict.fromkeys(partitions, 0)
        self._weights = dict.fromkeys(partitions, 0)
        self._full: set[TopicPartition] = set()
        self._silence = Silence(address, lambda: end_offsets(admin, self._partitions))
        self.is_closed = False
        self._reader = reader
        self._topics = tuple(dict.fromkeys(partition.topic for partition in partitions))
        self._watch = TopicsWatch(reader.known, self._topics, grows=grows)
        self.seek({})

    @property
    def transport(self) -> str:
        """The client that reads, and its version."""
        return self._reader.transport

    @property
    def partitions(self) -> tuple[TopicPartition, ...]:
        """Every partition of the topics, in order of topic and number."""
        return self._partitions

    def bounds(self) -> dict[TopicPartition, Bounds]:
        """Return what each partition holds now."""
        with self._address.translated("asking for offsets"):
            return partition_bounds(self._admin, self._partitions)

    def identities(self) -> dict[str, str]:
        """Return the ids that the cluster gave the topics; brokers before 2.8 give none."""
        with self._address.translated("asking for topics"):
            found = self._admin.describe_topics(list(self._topics))
        return {one["name"]: str(one["topic_id"]) for one in found if one["topic_id"]}

    def seek(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Continue at these offsets, and at the earliest where none is given."""
        bounds = self.bounds()
        self._reader.go_to(starting_offsets(bounds, offsets))
        self._merge.clear()
        self._full.clear()
        self._weights = dict.fromkeys(self._partitions, 0)
        self._known_ends = {partition: held.end for partition, held in bounds.items()}

    def poll(self, max_records: int, timeout_seconds: float) -> list[Record]:
        """Return the next records, or none when none came in time.

        Raises
        ------
        OffsetExpiredError, OffsetTruncatedError, TopicReplacedError, UndecodableBatchError,
        LogUnreachableError
        """
        self._take_added_partitions()
        deadline = time.monotonic() + timeout_seconds
        while True:
            if records := self._merge.take(max_records, self._ended()):
                self._forget(records)
                return records
            left = deadline - time.monotonic()
            if left < 0:
                return []
            self._fetch(min(left, _SLICE_SECONDS))
            self._silence.check()

    def lag(self) -> dict[TopicPartition, int]:
        """Return how many offsets lie between the next record and each partition's end."""
        with self._address.translated("asking for offsets"):
            ends = end_offsets(self._admin, self._partitions)
        return {tp: max(0, ends[tp] - self._following(tp)) for tp in self._partitions}

    def commit(self, offsets: Offsets) -> None:
        """Copy offsets to the group, if there is one, where Kafka's lag tools look.

        Raises
        ------
        LogUnreachableError
            When the broker takes none in some seconds; the copies are old then, nothing is lost.
        """
        if self._group is not None and offsets:
            with self._address.translated(f"committing offsets of group {self._group}"):
                commit_offsets(self._admin, self._group, offsets)

    def close(self) -> None:
        """Close the connections."""
        self.is_closed = True
        self._reader.close()

    def _following(self, partition: TopicPartition) -> int:
        head = self._merge.head(partition)
        return self._reader.position(partition) if head is None else head.offset

    def _ended(self) -> set[TopicPartition]:
        """Return which of the empty partitions hold nothing more, as far as others wait for it.

        The broker is asked after the records that wait have been fetched, so whatever comes to
        an ended partition later was appended later than they were.
        """
        empty = [tp for tp in self._partitions if not self._merge.buffered(tp)]
        if not empty or len(empty) == len(self._partitions):
            return set()
        positions = {tp: self._reader.position(tp) for tp in empty}
        if all(positions[tp] >= self._known_ends[tp] for tp in empty):
            asked = time.monotonic()
            try:
                self._known_ends |= end_offsets(self._admin, empty)
            except kafka_errors.RetriableError as error:
                self._silence.bear(error, asked)
                return set()  # unknown is not ended: the merge waits
            self._silence.heard()
        return {tp for tp in empty if positions[tp] >= self._known_ends[tp]}

    def _fetch(self, timeout_seconds: float) -> None:
        self._set_pauses()
        try:
            fetched = self._reader.fetch(timeout_seconds, _FETCH_RECORDS)
        except kafka_errors.OffsetOutOfRangeError as error:
            self._refuse_positions(error)
            return
        for partition, records in fetched.items():
            self._take_in(partition, records)

    def _take_added_partitions(self) -> None:
        wanted = self._watch.grown(self._partitions)
        added = [partition for partition in wanted if partition not in self._weights]
        if not added:
            return
        with self._address.translated("asking for offsets"):
            bounds = partition_bounds(self._admin, added)
        self._reader.add({partition: held.earliest for partition, held in bounds.items()})
        for partition, held in bounds.items():
            self._known_ends[partition] = held.end
            self._weights[partition] = 0
            _log.warning("partition_added", partition=str(partition), first=held.earliest)
        self._merge.widen(wanted)
        self._partitions = wanted

    def _take_in(self, partition: TopicPartition, records: list[Record]) -> None:
        self._watch.refuse_another(partition.topic)
        self._merge.feed(partition, records)
        self._weights[partition] += sum(map(_weight, records))
        self._silence.heard()

    def _forget(self, records: list[Record]) -> None:
        weights = self._weights
        for record in records:
            weights[TopicPartition(record.topic, record.partition)] -= _weight(record)

    def _set_pauses(self) -> None:
        if len(self._partitions) == 1:
            return
        # Once full it waits until half is gone: to go on costs librdkafka what it had ready.
        self._full = {partition for partition in self._partitions if self._is_full(partition)}
        self._reader.pause(self._full)

    def _is_full(self, partition: TopicPartition) -> bool:
        share = len(self._partitions) * (2 if partition in self._full else 1)
        return (
            self._merge.buffered(partition) > _BUFFER_RECORDS / share
            or self._weights[partition] > _BUFFER_BYTES / share
        )

    def _refuse_positions(self, cause: BaseException) -> None:
        """Say which position is outside; when none is any more, the next poll goes on."""
        bounds = self.bounds()
        try:
            for partition, held in bounds.items():
                refuse_outside(partition, self._reader.position(partition), held)
        except LogError as error:
            raise error from cause


def committed_offsets(admin: KafkaAdminClient, group: str) -> Offsets:
    """Return the offsets that stand under the name of a group."""
    found: dict[KafkaPartition, OffsetAndMetadata] = admin.list_group_offsets({group: None})[group]
    return {TopicPartition(*tp): held.offset for tp, held in found.items()}


def _weight(record: Record) -> int:
    return len(record.key or b"") + len(record.value or b"")
