"""The composition of the coordinator, beside the shards of a worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial

from serve.compose import Secrets, open_stream_log, open_stream_store
from serve.shards import status_of_shards
from serve.training import TrainingProcess
from stream.clock import Clock
from stream.config import Config
from stream.line import Line
from stream.sharding.coordinating import coordinating, open_coordinator
from stream.sharding.coordinator import Coordinator


@contextmanager
def coordinated(
    config: Config,
    secrets: Secrets,
    count: int,
    clock: Clock,
    make_line: Callable[[str], Line],
    *,
    to_the_end: bool,
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
    make_line
        Makes a line that has learned nothing, of a version.
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
        launch = TrainingProcess if config.retrain.enabled else None
        of = (config, count, store, log, describe, clock, stack)
        return open_coordinator(*of, make_line=make_line, launch=launch)

    seconds = config.worker.session_timeout / 1000
    with coordinating(make, seconds, clock, to_the_end=to_the_end):
        yield
