"""What is done with one shard: a worker of its own, over its partitions and in its own rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from threading import Event

import structlog

from stream.clock import Clock
from stream.config import Config
from stream.errors import StoreUnreachableError
from stream.line import Line
from stream.log import Bounds, Log, Source
from stream.patience import run_patiently
from stream.records import Offsets, Record, TopicPartition
from stream.sharding.adopters import adopters_of
from stream.sharding.adoption import Adopting
from stream.sharding.fit import refuse_grown
from stream.sharding.names import shard_name
from stream.storage.store import Store
from stream.tracing import Tracing
from stream.worker import Worker

_log = structlog.get_logger("riverrun.shards")

_AGAIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class ShardWork:
    """Works on any shard of a stream; called in the shard's thread.

    Parameters
    ----------
    config
        The stream's.
    count
        Of shards.
    open_log, open_store
        Each shard has its own: clients are not for several threads. The store is given a name.
    make_line
        Makes a line that has learned nothing, of a version.
    clock
        The machine's, but in tests.
    copy
        Takes copies of committed offsets, where only the group's member may write them; None
        where each source writes them itself.
    tracing
        Makes what follows single events.
    until_caught_up
        Whether it ends where the log does.
    rebuild
        Numbers of shards that are to be learned anew from the log; those that were begun leave.
    """

    config: Config
    count: int
    open_log: Callable[[], Log]
    open_store: Callable[[str], Store]
    make_line: Callable[[str], Line]
    clock: Clock
    copy: Callable[[Offsets], None] | None
    tracing: Callable[[], Tracing]
    until_caught_up: bool
    rebuild: set[int]

    def __call__(self, number: int, should_stop: Callable[[], bool]) -> None:
        """Work on a shard until told to stop.

        Raises
        ------
        RiverrunError
            As ``Worker.start`` and ``Worker.run``.
        """
        refuse_grown(number, self.count, self.config.events_topic)
        name = shard_name(number, self.count)
        with (
            closing(self.open_log()) as log,
            closing(self.open_store(name)) as store,
            closing(self.tracing()) as tracing,
        ):
            worker = Worker(
                self.config,
                self._source(log, number),
                log.sink(),
                store,
                make_line=self.make_line,
                clock=self.clock,
            )
            worker.tracing = tracing
            worker.adopting = Adopting(store, adopters_of(self.config, name), self.clock)
            if not self._begin(worker, number, should_stop):
                return
            run_patiently(
                worker,
                should_stop,
                self.until_caught_up,
                patience=self.config.stream.store_patience,
                clock=self.clock,
            )

    def _source(self, log: Log, number: int) -> Source:
        topics = [self.config.events_topic, self.config.labels_topic]
        if self.copy is not None:
            return _Copying(log.source(topics, partition=number), self.copy)
        return log.source(topics, group_of(self.config), partition=number)

    def _begin(self, worker: Worker, number: int, should_stop: Callable[[], bool]) -> bool:
        """Start a worker; while the store is away, try again. Return whether it was started."""
        deadline = self.clock.monotonic() + self.config.stream.store_patience / 1000
        while True:
            try:
                worker.start(number in self.rebuild)
            except StoreUnreachableError as error:
                if self.clock.monotonic() > deadline:
                    raise
                _log.error("store_unreachable", reason=str(error))
            else:
                self.rebuild.discard(number)
                return True
            if should_stop():
                return False
            Event().wait(_AGAIN_SECONDS)


def group_of(config: Config) -> str:
    """Return the name of the group that a stream's workers form."""
    return f"riverrun-{config.stream.name}"


class _Copying:
    """A source whose committed offsets are handed to somebody else."""

    def __init__(self, source: Source, copy: Callable[[Offsets], None]) -> None:
        self._source = source
        self._copy = copy
        self.poll: Callable[[int, float], list[Record]] = source.poll

    @property
    def transport(self) -> str:
        """What carries the records, and its version."""
        return self._source.transport

    @property
    def partitions(self) -> tuple[TopicPartition, ...]:
        """Those that are read."""
        return self._source.partitions

    def bounds(self) -> dict[TopicPartition, Bounds]:
        """Return what each partition holds now."""
        return self._source.bounds()

    def identities(self) -> dict[str, str]:
        """Return the ids of the topics."""
        return self._source.identities()

    def seek(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Continue at these offsets."""
        self._source.seek(offsets)

    def lag(self) -> dict[TopicPartition, int]:
        """Return how far the next record is from each partition's end."""
        return self._source.lag()

    def commit(self, offsets: Offsets) -> None:
        """Hand offsets over."""
        self._copy(dict(offsets))

    def close(self) -> None:
        """Close the source."""
        self._source.close()
