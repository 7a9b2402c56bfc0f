"""Membership in a consumer group of Kafka: the cluster says which partitions are whose.

Nothing is fetched here. The member subscribes to the topic of events alone and pauses what it is
given: each shard reads its partitions of all topics by itself, so that those of one number stay
together.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from functools import partial
from queue import Empty, Queue
from threading import Event, Thread
from typing import Any

import structlog
from kafka import KafkaConsumer, OffsetAndMetadata
from kafka import TopicPartition as KafkaPartition
from kafka import errors as kafka_errors
from kafka.consumer.subscription_state import AsyncConsumerRebalanceListener
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor

from stream.errors import LogError
from stream.logs.kafka_connection import KafkaAddress
from stream.logs.kafka_reader import METADATA_SECONDS
from stream.records import Offsets
from stream.sharding.membership import Change

_log = structlog.get_logger("riverrun.shards")

_HEARTBEATS = 10
"""In the time for which a member may be silent."""
_TRIES = 2
"""Of a heartbeat, in that time."""
_REBALANCE_MILLISECONDS = 300_000
"""For which the group waits until a member has committed what it gives away."""
_LOOK_SECONDS = 0.02
_POLL_MILLISECONDS = 100
_CLOSE_MILLISECONDS = 5_000
_LEAVE_SECONDS = 10.0
_PASSING = (
    kafka_errors.RebalanceInProgressError,
    kafka_errors.IllegalGenerationError,
    kafka_errors.UnknownMemberIdError,
    kafka_errors.CommitFailedError,
)
"""Why a copy is refused while the group changes; the next checkpoint's is taken."""


class KafkaMembership:
    """A member of a group, by the cooperative protocol: only what moves stands still.

    Parameters
    ----------
    address
        How to reach the cluster.
    topic
        Whose partitions are shared out.
    group
        Its name.
    session_seconds
        That a member may be silent.
    """

    copies_offsets = True

    def __init__(
        self, address: KafkaAddress, topic: str, group: str, session_seconds: float
    ) -> None:
        self._address = address
        self._group = group
        session = int(session_seconds * 1000)
        with address.translated(f"joining group {group}"):
            self._consumer = KafkaConsumer(
                **address.settings,
                group_id=group,
                partition_assignment_strategy=(CooperativeStickyAssignor,),
                session_timeout_ms=session,
                heartbeat_interval_ms=session // _HEARTBEATS,
                max_poll_interval_ms=_REBALANCE_MILLISECONDS,
                # A heartbeat that was lost is sent again over a new connection; TCP itself would
                # try for minutes after the network has come back.
                request_timeout_ms=session // _TRIES,
                # Its positions mean nothing; only the store says where a shard goes on.
                auto_offset_reset="latest",
                enable_auto_commit=False,
                allow_auto_create_topics=False,
                metadata_max_age_ms=int(METADATA_SECONDS * 1000),
                metrics_enabled=False,
            )
            self._consumer.partitions_for_topic(topic)  # so that whoever leads knows how many
            self._listener = _Listener(self._consumer)
            self._consumer.subscribe([topic], listener=self._listener)
        self._copies: Queue[Offsets] = Queue()
        self._failure: LogError | None = None
        self._refused: str | None = None
        # A poll that waits for what is revoked does not come back: so it has a thread of its own.
        self._thread = Thread(target=self._run, name="riverrun-member", daemon=True)
        self._thread.start()

    @property
    def has_joined(self) -> bool:
        """Whether the group has said what this member gets, be it nothing."""
        return bool(self._consumer._coordinator.stable())  # noqa: SLF001

    @property
    def is_heard(self) -> bool:
        """Whether a heartbeat was answered within a session.

        kafka-python calls a member stable until the cluster has said otherwise, which it cannot
        while it is cut off.
        """
        heartbeat = self._consumer._coordinator.heartbeat  # noqa: SLF001
        return self.has_joined and not heartbeat.session_timeout_expired()

    @property
    def is_closed(self) -> bool:
        """Whether it has left."""
        return self._listener.is_closing

    def poll(self, seconds: float) -> list[Change]:
        """Return what changed; a thread of its own stays a member."""
        if self._failure is not None:
            raise self._failure
        return self._listener.changes(seconds)

    def copy(self, offsets: Offsets) -> None:
        """Copy offsets to the group, in the background."""
        self._copies.put(offsets)

    def leave(self) -> None:
        """Leave the group: its partitions go to others at once. May be called twice."""
        self._listener.is_closing = True
        self._thread.join(_LEAVE_SECONDS)

    def close(self) -> None:
        """Leave the group."""
        self.leave()

    def _run(self) -> None:
        while not self._listener.is_closing:
            try:
                # Not the consumer's own poll: with all paused it spins over what it had fetched.
                self._consumer._coordinator.poll(timeout_ms=_POLL_MILLISECONDS)  # noqa: SLF001
                Event().wait(_POLL_MILLISECONDS / 1000)
                if self.has_joined:
                    mine = self._consumer.assignment()
                    self._consumer.pause(*mine)
                    self._listener.settle(_numbers(mine))
                self._commit()
            except kafka_errors.RetriableError as error:
                # It passes, or the shards' own readers bear it no longer than is configured.
                _log.debug("membership", reason=str(error))
                Event().wait(_POLL_MILLISECONDS / 1000)
            except kafka_errors.KafkaError as error:
                self._failure = self._address.translate(error, f"as a member of {self._group}")
                break
            except Exception as error:  # noqa: BLE001 - a dead thread would look like a member
                self._failure = LogError(f"as a member of {self._group}: {error!r}")
                break
        with suppress(kafka_errors.KafkaError):  # then the group finds out by its silence
            self._commit()
            self._consumer.close(autocommit=False, timeout_ms=_CLOSE_MILLISECONDS)

    def _commit(self) -> None:
        offsets: Offsets = {}
        with suppress(Empty):
            while True:
                offsets |= self._copies.get_nowait()
        if offsets:
            wanted = {
                KafkaPartition(*tp): OffsetAndMetadata(at, "", -1) for tp, at in offsets.items()
            }
            self._consumer.commit_async(wanted, callback=self._copied)

    def _copied(self, _offsets: Any, outcome: Any) -> None:
        if not isinstance(outcome, Exception) or isinstance(outcome, _PASSING):
            self._refused = None
        elif (reason := str(outcome)) != self._refused:
            self._refused = reason
            _log.warning("offsets_not_copied", message=reason)


class _Listener(AsyncConsumerRebalanceListener):  # type: ignore[misc]
    """Hands what Kafka's own thread says to the thread that polls.

    What is revoked is held back until that thread is done with it; the heartbeats go on meanwhile.
    """

    def __init__(self, consumer: KafkaConsumer) -> None:
        self._consumer = consumer
        # No SimpleQueue: interrupted by a signal at its timeout, Python 3.11's waits for ever.
        self._changes: Queue[Change] = Queue()
        self._told: frozenset[int] = frozenset()
        self.is_closing = False

    def changes(self, seconds: float) -> list[Change]:
        """Return what has come since, in order; wait for the first."""
        found = []
        with suppress(Empty):
            found.append(self._changes.get(timeout=seconds))
            while True:
                found.append(self._changes.get_nowait())
        return found

    def settle(self, numbers: frozenset[int]) -> None:
        """Tell what differs from what was told; called between rebalances.

        kafka-python 3.0.12 is silent where a member falls out of the group while it joins anew.
        """
        if gone := self._told - numbers:
            self._changes.put(Change("lost", gone))
        if new := numbers - self._told:
            self._changes.put(Change("assigned", new))
        self._told = numbers

    async def on_partitions_assigned(self, assigned: Collection[Any]) -> None:
        self._consumer.pause(*assigned)
        self._told |= _numbers(assigned)
        self._changes.put(Change("assigned", _numbers(assigned)))

    async def on_partitions_revoked(self, revoked: Collection[Any]) -> None:
        if self.is_closing or not revoked:
            return
        done = Event()
        self._told -= _numbers(revoked)
        self._changes.put(Change("revoked", _numbers(revoked), partial(done.set)))
        while not (done.is_set() or self.is_closing):
            await self._consumer._net.sleep(_LOOK_SECONDS)  # noqa: SLF001

    async def on_partitions_lost(self, lost: Collection[Any]) -> None:
        self._told -= _numbers(lost)
        self._changes.put(Change("lost", _numbers(lost)))


def _numbers(partitions: Collection[Any]) -> frozenset[int]:
    return frozenset(partition.partition for partition in partitions)
