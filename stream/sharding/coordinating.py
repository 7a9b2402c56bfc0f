"""The coordinator in a thread of its own, beside the shards of a worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from threading import Event, Thread

import structlog

from stream.clock import Clock
from stream.config import Config
from stream.errors import LogError, RiverrunError, StoreError
from stream.events import Decoder
from stream.labels import LabelReader
from stream.line import Line
from stream.log import Bounds, Log, Source
from stream.records import TopicPartition
from stream.schema_file import SchemaFile
from stream.sharding.coordinator import Coordinator
from stream.sharding.coordinator_parts import Describe
from stream.sharding.idle import IdleShards
from stream.sharding.names import shard_names
from stream.sharding.stream_lifecycle import StreamLifecycle
from stream.storage.store import Store
from stream.training.supervisor import Launch
from stream.watching.merged_watch import MergedWatch
from stream.watching.settings import make_merged_watch

_log = structlog.get_logger("riverrun.coordinator")

_TICK_SECONDS = 1.0
_SOON_SECONDS = 0.2


def open_coordinator(
    config: Config,
    count: int,
    store: Store,
    open_log: Callable[[], Log],
    describe: Describe,
    clock: Clock,
    stack: ExitStack,
    *,
    make_line: Callable[[str], Line] | None = None,
    launch: Launch | None = None,
) -> Coordinator:
    """Return a coordinator.

    Parameters
    ----------
    config
        The stream's.
    count
        Of its shards.
    store
        Of the stream itself.
    open_log
        Opens the log, when it is asked for the ends of the partitions.
    describe
        See ``Coordinator``.
    clock
        The machine's, but in tests.
    stack
        Closes what was opened.
    make_line, launch
        Makes a line that has learned nothing, of a version; and starts a training in another
        process. Without them nothing is retrained.
    """
    schema = SchemaFile(config).read()
    decoder = Decoder(config.event, LabelReader(config.model.task, config.model.classes))

    def make_watch() -> MergedWatch:
        return make_merged_watch(config, "v1", decoder.features_of, schema)

    opened = _Opened(open_log, stack)
    ends = _Ends(config, opened, stack)
    stores = {name: store.of_shard(name) for name in shard_names(count)}
    lifecycle = None
    if make_line is not None and launch is not None:
        lifecycle = StreamLifecycle(config, make_line, opened, store, stores, clock, launch)
    return Coordinator(
        config,
        count,
        store,
        store.shared.publish,
        IdleShards(ends, config.monitor.idle_after / 1000, clock),
        lifecycle,
        make_watch=make_watch,
        describe=describe,
        clock=clock,
    )


@contextmanager
def coordinating(
    make: Callable[[ExitStack], Coordinator], seconds: float, clock: Clock, *, to_the_end: bool
) -> Iterator[None]:
    """Coordinate in a thread while the shards of this worker are worked on.

    Parameters
    ----------
    make
        Makes the coordinator, in its thread; what it opens is closed there.
    seconds
        For which a lease is held: as long the end may wait for that of another worker.
    clock
        The machine's, but in tests.
    to_the_end
        Whether what the shards have closed when they are done is added up before the end.
    """
    stop = Event()

    def run() -> None:
        with ExitStack() as stack:
            coordinator: Coordinator | None = None
            while not stop.wait(_TICK_SECONDS):
                coordinator = coordinator or _made(make, stack)
                if coordinator is not None:
                    _tick(coordinator)
            if coordinator is None and to_the_end:
                coordinator = _made(make, stack)
            if coordinator is None:
                return
            deadline = clock.monotonic() + (seconds if to_the_end else 0.0)
            while to_the_end and clock.monotonic() < deadline:
                if _tick(coordinator) and not coordinator.merged:
                    break
                Event().wait(0.0 if coordinator.merged else _SOON_SECONDS)
            try:
                coordinator.leave()
            except StoreError as error:  # it runs out by itself
                _log.warning("lease_not_given_up", reason=str(error))

    thread = Thread(target=run, name="riverrun-coordinator", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _made(make: Callable[[ExitStack], Coordinator], stack: ExitStack) -> Coordinator | None:
    try:
        return make(stack)
    except RiverrunError as error:  # the shards meet the same, and bear it as configured
        _log.warning("coordinator_not_begun", reason=str(error))
        return None


def _tick(coordinator: Coordinator) -> bool:
    try:
        return coordinator.tick()
    except (StoreError, LogError) as error:
        _log.warning("not_coordinated", reason=str(error))
    except Exception as error:  # noqa: BLE001 (it must not stop the shards, nor go unseen)
        _log.exception("coordinator_failed", error=str(error))
    return False


class _Opened:
    """Opens a log when it is first asked for."""

    def __init__(self, open_log: Callable[[], Log], stack: ExitStack) -> None:
        self._open = open_log
        self._stack = stack
        self._log: Log | None = None

    def __call__(self) -> Log:
        """Return the log."""
        if self._log is None:
            self._log = self._open()
            self._stack.callback(self._log.close)
        return self._log


class _Ends:
    """Asks a log for the ends of its partitions, over one connection."""

    def __init__(self, config: Config, open_log: Callable[[], Log], stack: ExitStack) -> None:
        self._topics = [config.events_topic, config.labels_topic]
        self._open_log = open_log
        self._stack = stack
        self._source: Source | None = None

    def __call__(self) -> dict[TopicPartition, Bounds]:
        """Return what each partition holds now."""
        if self._source is None:
            self._source = self._open_log().source(self._topics)
            self._stack.callback(self._source.close)
        return self._source.bounds()
