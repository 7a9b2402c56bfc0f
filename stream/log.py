"""The event log's contract: a source to read, a sink to append, and the log that opens both.

Three implementations keep it, and one conformance suite runs over all three: ``memory_log``
(tests), ``sqlite_log`` (the embedded default) and ``kafka_log``. An offset is "next to read"
everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from stream.records import NewRecord, Offsets, Record, TopicPartition
from stream.sharding.membership import Membership

MAX_RECORD_BYTES = 1_048_576
"""Largest record (key, value and headers) that a log takes; Kafka's own default."""


class Bounds(NamedTuple):
    """The offsets that a partition holds now: ``earliest`` (first readable) to ``end`` (next)."""

    earliest: int
    end: int


class Source(Protocol):
    """Reads the partitions of some topics, merged into one order.

    The next record is always the one with the smallest (timestamp, topic in the order it was
    asked for, partition) among the heads of all partitions; a partition counts as empty only when
    its end was seen. So the order is a function of the log and of the positions: a reader that
    comes back reads what it would have read. (The SQLite log knows the order of the appends and
    keeps to that instead.)
    """

    @property
    def transport(self) -> str:
        """What carries the records, and its version, such as ``librdkafka 2.16.0``."""

    @property
    def partitions(self) -> tuple[TopicPartition, ...]:
        """Every partition of the topics, in order of topic and number."""

    def bounds(self) -> dict[TopicPartition, Bounds]:
        """Return what each partition holds now. Blocks for one exchange with the broker."""

    def identities(self) -> dict[str, str]:
        """Return what tells each topic from one that is made later under its name.

        A topic is not named where that cannot be known. Blocks for one exchange with the broker.
        """

    def seek(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Continue at these offsets; a partition that is not named continues at its earliest.

        Raises
        ------
        OffsetExpiredError, OffsetTruncatedError
            When the log does not hold one of them.
        """

    def poll(self, max_records: int, timeout_seconds: float) -> list[Record]:
        """Return up to ``max_records`` next records, or none when the time is over.

        Raises
        ------
        OffsetExpiredError, UndecodableBatchError, LogUnreachableError
        """

    def lag(self) -> dict[TopicPartition, int]:
        """Return how many offsets lie between the next record and each partition's end.

        Offsets that hold no record (compacted, or a transaction's marker) do not count once the
        reader has passed them. Blocks for one exchange with the broker.
        """

    def commit(self, offsets: Offsets) -> None:
        """Copy offsets to where the log's own lag tools look; the truth is in the store."""

    def close(self) -> None:
        """Let go of files and sockets. May be called twice."""


class Receipt(Protocol):
    """The promise of an append."""

    def offsets(self, timeout_seconds: float = 30.0) -> list[tuple[TopicPartition, int]]:
        """Wait until the records are durable; return where each one stands, in order.

        Raises
        ------
        RecordTooLargeError, TopicNotFoundError, LogUnreachableError
        """


class Sink(Protocol):
    """Appends records. May be used from several threads."""

    def append(self, records: Sequence[NewRecord]) -> Receipt:
        """Hand records over, in order. They may be buffered until ``flush``.

        Raises
        ------
        RecordTooLargeError
            When one is over the limit; then none of them is written.
        PartitionNotFoundError
            When one names a partition that its topic does not have; then none is written either.
        NotAcknowledgedError
            When a cluster does not say in time where a topic is; then none is written either.
        """

    def flush(self, timeout_seconds: float = 30.0) -> None:
        """Wait until everything that was handed over is durable.

        Raises
        ------
        LogUnreachableError
            When something could not be written in time.
        """

    def close(self) -> None:
        """Flush, and let go of files and sockets. May be called twice."""


class Log(Protocol):
    """An event log that was reached."""

    url: str

    @property
    def transport(self) -> str:
        """What carries the records of its sources and sinks, and its version."""

    def topics(self) -> dict[str, int]:
        """Return the number of partitions of every topic."""

    def create_topics(self, topics: Mapping[str, int]) -> None:
        """Create those of the topics (name to number of partitions) that do not exist."""

    def source(
        self, topics: Sequence[str], group: str | None = None, *, partition: int | None = None
    ) -> Source:
        """Open a reader, at each partition's earliest offset.

        Parameters
        ----------
        topics
            In the order that breaks ties.
        group
            Under whose name offsets are copied; None copies nothing.
        partition
            Read only the partitions of this number, one of each topic, whatever is added to them;
            None reads all.

        Raises
        ------
        TopicNotFoundError
        """

    def sink(self) -> Sink:
        """Open a writer."""

    def membership(self, group: str, topic: str, session_seconds: float) -> Membership | None:
        """Join a group of workers that share out the partitions of a topic.

        Parameters
        ----------
        group
            Its name.
        topic
            Whose partitions.
        session_seconds
            That a member may be silent.

        Returns
        -------
        Membership or None
            None where the log knows no groups: then leases in the store do it.
        """

    def close(self) -> None:
        """Let go of everything, the sources and sinks it opened included."""
