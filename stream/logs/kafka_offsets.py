"""Questions about offsets, put to Kafka's brokers by an admin client."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from kafka import KafkaAdminClient, OffsetAndMetadata
from kafka import TopicPartition as KafkaPartition
from kafka import errors as kafka_errors
from kafka.admin import OffsetSpec
from kafka.protocol.consumer import IsolationLevel

from stream.log import Bounds
from stream.records import Offsets, TopicPartition

_COMMIT_SECONDS = 5.0


def partition_bounds(
    admin: KafkaAdminClient, partitions: Iterable[TopicPartition]
) -> dict[TopicPartition, Bounds]:
    """Return what each partition holds for readers of committed records."""
    wanted = tuple(partitions)
    earliest = _ask(admin, wanted, OffsetSpec.EARLIEST)
    end = _ask(admin, wanted, OffsetSpec.LATEST)
    return {tp: Bounds(earliest[tp], end[tp]) for tp in wanted}


def end_offsets(admin: KafkaAdminClient, partitions: Iterable[TopicPartition]) -> Offsets:
    """Return the end of each partition for readers of committed records."""
    return _ask(admin, partitions, OffsetSpec.LATEST)


def commit_offsets(admin: KafkaAdminClient, group: str, offsets: Offsets) -> None:
    """Write offsets under the name of a group that has no members.

    Raises
    ------
    kafka.errors.KafkaError
        When the group's coordinator takes none of them in some seconds.
    """
    wanted = {
        KafkaPartition(*tp): OffsetAndMetadata(offset, "", -1) for tp, offset in offsets.items()
    }
    deadline = time.monotonic() + _COMMIT_SECONDS
    while True:
        try:
            for error in admin.alter_group_offsets(group, wanted).values():
                if error is not kafka_errors.NoError:
                    raise error()
        except kafka_errors.RetriableError:
            # The first commit of a new cluster makes the topic that holds them, which takes time.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def _ask(admin: KafkaAdminClient, partitions: Iterable[TopicPartition], what: Any) -> Offsets:
    found = admin.list_partition_offsets(
        {KafkaPartition(*tp): what for tp in partitions},
        isolation_level=IsolationLevel.READ_COMMITTED,
        timeout_ms=5_000,
    )
    return {TopicPartition(*tp): held.offset for tp, held in found.items()}
