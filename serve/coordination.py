"""The composition of the coordinator, beside the shards of a worker."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial

from serve.compose import Secrets, open_stream_log, open_stream_store
from serve.shards import status_of_shards
from stream.clock import Clock
from stream.config import Config
from stream.sharding.coordinating import coordinating, open_coordinator
from stream.sharding.coordinator import Coordinator


@contextmanager
def coordinated(
    config: Config, secrets: Secrets, count: int, clock: Clock, *, to_the_end: bool
) -> Iterator[None]:
    """Try to coordinate a divided stream while its shards are worked on here.

    Parameters
    ----------
    config, secrets
        Of the stream; where its monitor is switched off there is nothing to coordinate.
    count
        Of its shards.
    clock
        The machine's.
    to_the_end
        Whether what the shards have closed when they are done is added up before the end.
    """
    if not config.monitor.enabled:
        yield
        return

    def make(stack: ExitStack) -> Coordinator:
        store = stack.enter_context(closing(open_stream_store(config, secrets)))
        describe = partial(status_of_shards, config)
        log = partial(open_stream_log, config, secrets)
        return open_coordinator(config, count, store, log, describe, clock, stack)

    seconds = config.worker.session_timeout / 1000
    with coordinating(make, seconds, clock, to_the_end=to_the_end):
        yield
