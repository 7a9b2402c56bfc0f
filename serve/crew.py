"""The composition of a worker that shares a divided stream with others."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from uuid import uuid4

from serve.compose import (
    Secrets,
    halts_written_down,
    open_stream_log,
    open_stream_store,
    prepare_topics,
)
from serve.coordination import coordinated
from stream.clock import SystemClock
from stream.config import Config
from stream.known_types import know_types
from stream.log import Log
from stream.sharding.crew import Copies, Crew
from stream.sharding.fit import refuse_other_shards, shard_count
from stream.sharding.lease_membership import LeaseMembership
from stream.sharding.membership import Membership
from stream.sharding.read import is_read
from stream.sharding.shard_run import Work
from stream.sharding.shard_work import ShardWork, group_of
from stream.storage.store import Store
from stream.tracing import Tracing


@dataclass(frozen=True, slots=True)
class OpenedCrew:
    """A crew that has not begun, and what it is told with.

    Parameters
    ----------
    crew
        Run it.
    is_read
        Whether the stream is read to its end, by the store.
    store
        Of the whole stream.
    """

    crew: Crew
    is_read: Callable[[], bool]
    store: Store


@contextmanager
def opened_crew(
    config: Config,
    secrets: Secrets,
    where: str,
    tracing: Callable[[], Tracing],
    *,
    until_caught_up: bool = False,
    rebuild: bool = False,
    heard: Callable[[Work], Work] = lambda work: work,
) -> Iterator[OpenedCrew]:
    """Open a worker of a divided stream, with its log and its store; close them afterwards.

    Parameters
    ----------
    config, secrets
        Of the stream.
    where
        Names the configuration in error messages.
    tracing
        Makes what follows single events.
    until_caught_up
        Whether each shard ends where its partitions do.
    rebuild
        Whether each shard that comes here is learned anew from the log, once.
    heard
        Returns the work on a shard with an ear on its loop, for probes.

    Raises
    ------
    ConfigError, LogError, StoreError
    HaltedError
        Where the store holds the stream divided in another way.
    """
    # River takes a second to import, and most commands do without.
    from serve.notify.couriers import delivering
    from stream.build import line_factory

    make_line, clock = line_factory(config, where), SystemClock()
    know_types()
    with (
        closing(open_stream_log(config, secrets)) as log,
        closing(open_stream_store(config, secrets)) as store,
        delivering(config, secrets, store, clock),
        halts_written_down(store, clock),
    ):
        prepare_topics(config, log)
        count = shard_count(config, log)
        refuse_other_shards(config, store.sharding, count)
        copies = Copies()
        membership = _join(config, log, store, count)
        work = ShardWork(
            config=config,
            count=count,
            open_log=lambda: open_stream_log(config, secrets),
            open_store=lambda shard: open_stream_store(config, secrets, shard),
            make_line=make_line,
            clock=clock,
            copy=copies.put if membership.copies_offsets else None,
            tracing=tracing,
            until_caught_up=until_caught_up,
            rebuild=set(range(count)) if rebuild else set(),
        )
        crew = Crew(membership, count, heard(work), clock, copies)
        topics = [config.events_topic, config.labels_topic]
        with (
            coordinated(config, secrets, count, clock, make_line, to_the_end=until_caught_up),
            _averaging(config, store),
        ):
            yield OpenedCrew(crew, lambda: is_read(log, topics, store.sharding), store)


@contextmanager
def _averaging(config: Config, store: Store) -> Iterator[None]:
    """Average the shards meanwhile, where that is asked for and no other worker does it."""
    if config.model.share != "averaged":
        yield
        return
    from stream.sharding.averaging.merger import Merger

    with closing(Merger(config, store, f"{_member()}:average", SystemClock())) as merger:
        merger.start()
        yield


def _member() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"


def _join(config: Config, log: Log, store: Store, count: int) -> Membership:
    seconds = config.worker.session_timeout / 1000
    joined = log.membership(group_of(config), config.events_topic, seconds)
    if joined is not None:
        return joined
    return LeaseMembership(store.leases, _member(), count, seconds, SystemClock())
