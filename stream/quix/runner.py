"""Running the line as a Quix Streams application: Quix reads, keeps the state and commits.

Events and labels are read as one stream, partition by partition, in the order of their times. Each
partition has a line of its own. Its state is written into Quix's store, RocksDB with a changelog
topic, when Quix commits: in one transaction of Kafka with the predictions and the offsets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from quixstreams import Application, message_context
from quixstreams.dataframe import StreamingDataFrame
from quixstreams.kafka import ConnectionConfig
from quixstreams.models.serializers import Serializer
from quixstreams.sinks import BaseSink
from quixstreams.state.base.transaction import PartitionTransaction

from stream.clock import Clock
from stream.config import Config
from stream.errors import HaltedError
from stream.line import Line
from stream.quix.partition_state import PartitionState
from stream.quix.values import Values
from stream.records import NewRecord, Record, TopicPartition
from stream.status import status_of
from stream.step import dead_letter_record, prediction_record, shortened
from stream.storage.identity import identity_of

_log = structlog.get_logger("riverrun.quix")

_PREFIX = b"riverrun"
_IDLE_SECONDS = 3.0
_MOST_UNCOMMITTED = 10_000
_LARGEST_LETTER = 1_000_000


@dataclass(frozen=True, slots=True)
class Member:
    """Which of the processes that share a stream this one is; no two at a time are the same.

    Parameters
    ----------
    name
        Kafka knows the member by it, and fences an older process with the same name.
    state_dir
        Folder of RocksDB; one that is gone is made again from the changelog.
    """

    name: str
    state_dir: Path


@dataclass(slots=True)
class _Shard:
    line: Line
    state: PartitionState
    transaction: PartitionTransaction[Any, Any]
    dirty: bool = False


class QuixRunner:
    """The application, and the lines of the partitions that are assigned to it.

    Parameters
    ----------
    config
        The stream's; see ``stream.quix.fit``.
    make_line
        Makes a line that has learned nothing, of a version.
    settings
        Of librdkafka's clients.
    member
        This process.
    secret
        Signs the state; None for digests only.
    clock
        For latencies.
    """

    def __init__(
        self,
        config: Config,
        make_line: Callable[[str], Line],
        settings: Mapping[str, Any],
        member: Member,
        secret: bytes | None,
        clock: Clock,
    ) -> None:
        self._config = config
        self._make_line = make_line
        self._secret = secret
        self._clock = clock
        self._identity = identity_of(config)
        self._shards: dict[int, _Shard] = {}
        self._halt: HaltedError | None = None
        self._app = _application(config, settings, member)
        self._frame = self._compose()

    def run(self, until_caught_up: bool) -> dict[str, Any]:
        """Work until SIGTERM or SIGINT, or to the log's end; return the status of each partition.

        Raises
        ------
        HaltedError
            When too many records are dead letters, or a state does not fit.
        """
        self._app.run(timeout=_IDLE_SECONDS if until_caught_up else 0.0, collect=False)
        return {
            "stream": self._config.stream.name,
            "runner": "quix",
            "partitions": {
                str(partition): status_of(shard.line, shard.line.scores.rolling())
                for partition, shard in sorted(self._shards.items())
            },
        }

    def handle(
        self, value: bytes | None, key: Any, timestamp: int, headers: Any, _state: object
    ) -> list[NewRecord]:
        """Let the partition's line handle one record; return what is to be produced."""
        at, config = message_context(), self._config
        shard = self._shard(at.partition)
        place = TopicPartition(at.topic, at.partition)
        if at.offset < shard.line.offsets.get(place, 0):
            return []  # learned already: whatever Quix does, an event is learned once
        found = tuple((name, data or b"") for name, data in headers or ())
        record = Record(at.topic, at.partition, at.offset, timestamp, key, value, found)
        shard.dirty = True
        step = shard.line.handle([record], round(self._clock.now() * 1000))
        if step.halt is not None:
            raise HaltedError(step.halt)
        said = [
            prediction_record(row, config.predictions_topic, config.model.task)
            for row in step.predictions
        ]
        letters = [dead_letter_record(one, config.dead_letters_topic) for one in step.dead_letters]
        return said + [shortened(one) if one.size > _LARGEST_LETTER else one for one in letters]

    def save(self) -> None:
        """Write what changed into the transactions that Quix is about to commit."""
        for partition, shard in self._shards.items():
            if shard.dirty:
                shard.state.save(shard.line)
                shard.dirty = False
                _log.debug(
                    "committing",
                    partition=partition,
                    number=shard.state.number,
                    learned=shard.line.counts.learned,
                )

    def _shard(self, partition: int) -> _Shard:
        transaction = self._frame.processing_context.checkpoint.get_store_transaction(
            stream_id=self._frame.stream_id, partition=partition
        )
        shard = self._shards.get(partition)
        if shard is not None and shard.transaction is transaction:
            return shard
        name = f"{self._config.stream.name}/quix/{partition}"
        values = Values(_InTransaction(transaction), name, self._secret)
        if shard is not None and not shard.dirty:
            shard.state.use(values)
            if shard.state.is_of_now():
                shard.transaction = transaction
                return shard
        # New here, or Quix gave up what was handled since its last commit.
        state = PartitionState(values, self._identity, name)
        line = state.load(self._make_line)
        shard = self._shards[partition] = _Shard(line, state, transaction)
        _log.info(
            "started",
            stream=self._config.stream.name,
            partition=partition,
            learned=line.counts.learned,
            learned_offset=line.learned_offset,
        )
        return shard

    def _compose(self) -> StreamingDataFrame:
        config, app = self._config, self._app
        events, labels = (
            app.dataframe(app.topic(name, value_deserializer="bytes", key_deserializer="bytes"))
            for name in (config.events_topic, config.labels_topic)
        )
        both = events.concat(labels)
        both.sink(_BeforeCommit(self.save))
        made = both.apply(self.handle, expand=True, stateful=True, metadata=True)
        made = made.set_headers(lambda record, *_: list(record.headers))
        for name in (config.predictions_topic, config.dead_letters_topic):
            topic = app.topic(name, value_serializer=_Value(), key_serializer="bytes")
            made.filter(partial(_is_for, name)).to_topic(topic, key=lambda record: record.key)
        return both


def _application(config: Config, settings: Mapping[str, Any], member: Member) -> Application:
    name = f"riverrun-{config.stream.name}-{member.name}"
    known = {key: value for key, value in settings.items() if key != "logger"}
    return Application(
        broker_address=ConnectionConfig.from_librdkafka_dict(known, ignore_extras=True),
        consumer_group=f"riverrun-quix-{config.stream.name}",
        auto_offset_reset="earliest",
        auto_recover_from_source_offset_out_of_range=False,
        commit_interval=config.checkpoint.min_interval / 1000,
        commit_every=min(config.model.per_in_memory, _MOST_UNCOMMITTED),
        consumer_extra_config={
            "group.instance.id": name,
            "session.timeout.ms": config.worker.session_timeout,
        },
        producer_extra_config={"transactional.id": name},
        state_dir=member.state_dir,
        loglevel="WARNING",
        processing_guarantee="exactly-once",
    )


def _is_for(topic: str, record: NewRecord) -> bool:
    return record.topic == topic


class _BeforeCommit(BaseSink):
    """Hears from Quix that it commits: sinks are flushed before the state is."""

    def __init__(self, save: Callable[[], None]) -> None:
        super().__init__()
        self._save = save

    def add(self, *_: object, **__: object) -> None:
        """Take nothing: what is sunk are the records that came."""

    def flush(self) -> None:
        """Write the state."""
        self._save()


class _Value(Serializer):
    """The bytes of a record that is produced."""

    def __call__(self, value: NewRecord, *_: object, **__: object) -> bytes:
        """Return them."""
        return value.value  # type: ignore[return-value] # a null stays one


class _InTransaction:
    """A transaction of Quix's store as bytes by name."""

    def __init__(self, transaction: PartitionTransaction[Any, Any]) -> None:
        self._transaction = transaction

    def get(self, name: bytes) -> bytes | None:
        """Return a value, or None."""
        found: bytes | None = self._transaction.get_bytes(name, prefix=_PREFIX)
        return found

    def put(self, name: bytes, data: bytes) -> None:
        """Write a value."""
        self._transaction.set_bytes(name, data, prefix=_PREFIX)

    def delete(self, name: bytes) -> None:
        """Delete a value."""
        self._transaction.delete(name, prefix=_PREFIX)
