"""The worker: polls, lets the line handle, publishes, commits. The thin shell around the core."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
import structlog

from stream.cadence import Cadence
from stream.checkpoint import WATCH_PART, Snapshot
from stream.clock import Clock
from stream.config import Config
from stream.errors import ConfigError, HaltedError
from stream.lag import Lag
from stream.lifecycle.live import request
from stream.lifecycle.run import Request
from stream.line import Line
from stream.log import Log, Sink, Source
from stream.offset_copies import OffsetCopies
from stream.people import People
from stream.process import owner
from stream.publisher import Publisher
from stream.recent import groups_of
from stream.records import Record
from stream.recovery import Recovery
from stream.rolling import RollingScores
from stream.schema_file import SchemaFile
from stream.sharding.adoption import Adopting
from stream.snapshot import mark_committed, take_snapshot
from stream.status import status_of
from stream.storage.identity import identity_of
from stream.storage.store import Store
from stream.telemetry import Telemetry
from stream.tracing import Tracing, Untraced
from stream.training.supervisor import Launch, Supervisor
from stream.turn_size import TurnSize
from stream.watchdog import Watchdog
from stream.watching.findings import Finding

_log = structlog.get_logger("riverrun.worker")

_POLL_SECONDS, _SCHEMA_SECONDS = 0.25, 1.0

_Asked = Callable[[], bool]
_OnTurn = Callable[[Line], None] | None


class Worker:
    """Runs one shard of a stream until it is told to stop.

    Parameters
    ----------
    config
        The stream's configuration.
    source, sink
        Of the event log; the source reads events and labels.
    store
        Where checkpoints go.
    make_line
        Makes a line that has learned nothing, of a version.
    clock
        For latencies and for the spacing of checkpoints.
    training
        Given the worker's epoch, looks after trainings; None where there are none.

    Attributes
    ----------
    telemetry
        Where its time goes.
    tracing, adopting
        Follows single events; takes in what other shards share. Set before ``start``, where wanted.

    Notes
    -----
    The order within one turn is the promise: publish, wait until it is durable, then commit the
    offsets. Whatever dies between leaves a state to which the last checkpoint leads back.
    """

    def __init__(
        self,
        config: Config,
        source: Source,
        sink: Sink,
        store: Store,
        *,
        make_line: Callable[[str], Line],
        clock: Clock,
        training: Callable[[int], Supervisor] | None = None,
    ) -> None:
        self._config = config
        self._source = source
        self._sink = sink
        self._store = store
        self._make_line = make_line
        self._make_supervisor = training
        self._clock = clock
        self._identity = identity_of(config)
        self._rolling, self._idle = RollingScores(), False
        self._lag = Lag(source)
        self._copies = OffsetCopies(source, clock)
        self._news: list[tuple[str, dict[str, Any]]] = []
        self._schema_file = SchemaFile(config)
        self._schema_at = float("-inf")
        self._size = TurnSize()
        self._watchdog = Watchdog(config.worker, store, clock, transport=source.transport)
        self.telemetry = Telemetry(clock)
        self.tracing: Tracing = Untraced()
        self.adopting = Adopting(store, (), clock)

    def start(self, rebuild: bool = False) -> None:
        """Claim the shard and load its state; ``Recovery`` says what it raises."""
        now = self._clock.now()
        self._claim = self._store.claim(owner(), now)
        self._number = self._claim.last_number
        of = (self._config, self._store, self._claim, self._source)
        recovery = Recovery(*of, identity=self._identity, make_line=self._make_line, now=now)
        recovered = recovery.start(rebuild)
        self._topics, self.line = recovery.topics, recovered.line
        self._restored, self._reason = recovered.restored, recovered.reason
        self._silent_until = recovered.silent_until
        self.adopting.begin(recovered)
        trace_of = self.tracing.headers_of
        self._publisher = Publisher(self._sink, self._config, self._silent_until, trace_of)
        seen = None if recovered.silent_until else groups_of(self.line)
        self._recent = self._store.recent.begin(self._config.predictions.keep, seen, now)
        self._people = People(self._store, self._config, self._clock)
        self._supervisor: Supervisor | None = None
        if self._make_supervisor is not None and self.line.lifecycle is not None:
            self._supervisor = self._make_supervisor(self._claim.epoch)
            self._supervisor.handle = self._watchdog.handle_training
            if recovered.restored:
                self._supervisor.after_commit(self.line)
        self._cadence = Cadence(self._config.checkpoint, self._clock.monotonic())
        self._dirty = not recovered.restored
        if recovered.changed:
            wanted = Request("change", reason="the configured pipeline is another one")
            self._dirty |= request(self.line, wanted)
        _log.info(
            "started",
            stream=self._config.stream.name,
            version=self.line.version,
            epoch=self._claim.epoch,
            learned=self.line.counts.learned,
            learned_offset=self.line.learned_offset,
        )

    @property
    def number(self) -> int:
        """Number of the last checkpoint that was committed."""
        return self._number

    def start_again(self) -> None:
        """Go on from the newest checkpoint, as after a crash, unless another took over."""
        self._store.check_epoch(self._claim)
        if self._supervisor is not None:
            self._supervisor.stop()
        self._news = []
        self.start()

    def run(
        self, should_stop: _Asked, until_caught_up: bool = False, on_turn: _OnTurn = None
    ) -> None:
        """Work until told to stop, then commit what was done.

        Parameters
        ----------
        should_stop
            Asked once a turn.
        until_caught_up
            Also stop where the log ends.
        on_turn
            Called after every turn, for progress.

        Raises
        ------
        FencedError
            When another worker took over.
        HaltedError
            When too many records are dead letters, or the model grows without end.
        LogError, StoreError
        """
        self._publisher.should_stop = lambda: should_stop() or self._watchdog.asks
        with self._watchdog:
            self._loop(should_stop, until_caught_up, on_turn)
        self._idle = True
        self._look_after_runs()
        self.checkpoint()
        if self._supervisor is not None:
            self._supervisor.stop()
        self._watchdog.check()

    def _loop(self, should_stop: _Asked, until_caught_up: bool, on_turn: _OnTurn) -> None:
        while not (should_stop() or self._watchdog.asks):
            self._look_for_a_schema()
            self.telemetry.begin()
            records = self._source.poll(self._size.records, _POLL_SECONDS)
            self._idle = not records
            self.telemetry.polled(len(records))
            for part in self.adopting.turns(self.line, records):
                self._turn(part)
            self._look_after_runs()
            if self.line.learner.is_full or self._cadence.is_due(self._clock.monotonic()):
                self.checkpoint()
            if on_turn is not None:
                on_turn(self.line)
            if until_caught_up and not records and self._lag.is_none():
                break

    def checkpoint(self) -> None:
        """Commit the state, where anything happened since the last one.

        A rebuild commits nothing until it has passed what was committed before it.
        """
        if not (self._dirty or self._news or self._has_stale_scores()) or self._is_behind():
            return
        started = self._clock.monotonic()
        self._publisher.flush()
        flushed = self._clock.monotonic()
        self.telemetry.spent("publish", flushed - started)
        snapshot, changes = take_snapshot(self.line)
        recent = self._recent.changes(changes["settled"][0], groups_of(self.line))
        snapshot = msgspec.structs.replace(snapshot, recent=recent)
        number = self._number + 1
        self._store.commit(
            self._claim,
            number,
            snapshot,
            status=self._status(started, snapshot),
            identity=self._identity,
            reason=snapshot.why(self._reason),
            now=self._clock.now(),
            keep=self._config.checkpoint.keep,
            replace=not self._restored,
            panes_kept=self._config.monitor.panes_kept,
            happened=self._news,
            answers=self._people.answers,
        )
        self._news = []
        self._recent.committed()
        self._people.answers = {}
        if self._supervisor is not None:
            self._supervisor.after_commit(self.line)
        self._number, self._restored, self._dirty = number, True, False
        mark_committed(self.line, changes, number)
        self._copies.copy(self.line.offsets)
        self._cadence.done(started, self._clock.monotonic())
        self.telemetry.spent("checkpoint", self._clock.monotonic() - flushed)
        _log.debug("checkpoint", number=number, seconds=round(self._cadence.took, 4))

    def _turn(self, records: list[Record]) -> None:
        started = self._clock.monotonic()
        self._store.check_epoch(self._claim)
        now = round(self._clock.now() * 1000)
        step = self._watchdog.handle(self.tracing.handle, self.line, records, now)
        self._dirty = True
        self.telemetry.lap("handle")
        self._recent.saw(self._publisher.publish(step))
        self.telemetry.lap("publish")
        self._tell([found for at, found in step.findings if self._publisher.is_new(at)])
        self._size.fit(len(records), self._clock.monotonic() - started)
        if step.halt is not None:
            self._news.append(("halted", {"message": step.halt}))
            self.checkpoint()
            raise HaltedError(step.halt)

    def _look_after_runs(self) -> None:
        """Hear what people ask, and see to the training that is under way."""
        self._dirty |= self._people.tick(self.line) or bool(self.line.adopted.changes)
        if self._supervisor is not None:
            self._dirty |= self._supervisor.tick(self.line)

    def _look_for_a_schema(self) -> None:
        """Go on with a schema that a person has changed meanwhile; one that is wrong is told."""
        now, watch = self._clock.monotonic(), self.line.watch
        if watch is None or now - self._schema_at < _SCHEMA_SECONDS:
            return
        self._schema_at = now
        try:
            schema = self._schema_file.changed()
        except ConfigError as error:
            _log.error("schema_file", message=str(error))
            self._news.append(("schema_refused", {"message": str(error)}))
            return
        if schema is not None and schema != watch.monitor.schema:
            self._tell(watch.correct(schema, self.line.watermark or 0))
            self._dirty = True

    def _tell(self, findings: list[Finding]) -> None:
        """Say what the monitor found, and remember to write it down."""
        for finding in findings:
            if finding.is_told:
                tell = _log.warning if finding.is_trouble else _log.info
                tell(finding.kind, **finding.line())
            if finding.is_news:
                self._news.append((finding.kind, finding.detail()))

    def _is_behind(self) -> bool:
        offsets = self.line.offsets
        return any(offsets.get(place, 0) < end for place, end in self._silent_until.items())

    def _has_stale_scores(self) -> bool:
        return self._idle and self._rolling.is_behind(self.line)

    def _status(self, now: float, snapshot: Snapshot) -> dict[str, Any]:
        rolling = self._rolling.read(self.line, now, is_wanted=self._has_stale_scores())
        status = status_of(self.line, rolling, snapshot.parts.get(WATCH_PART))
        return status | {
            "checkpoint_seconds": self._cadence.took,
            "epoch": self._claim.epoch,
            "topics": self._topics,
            "lag": self._lag.read(now, is_idle=self._idle),
            "worker": self.telemetry.told() | {"transport": self._source.transport},
        }


def open_worker(
    config: Config,
    log: Log,
    store: Store,
    make_line: Callable[[str], Line],
    clock: Clock,
    launch: Launch | None = None,
) -> Worker:
    """Return a worker over a log, with its source and sink opened.

    Parameters
    ----------
    config
        The stream's configuration.
    log, store
        Its event log, and where checkpoints go.
    make_line
        Makes a line that has learned nothing, of a version.
    clock
        The machine's, but in tests.
    launch
        Starts a training in another process; without it nothing is retrained.

    Raises
    ------
    TopicNotFoundError, LogUnreachableError
    """
    topics = [config.events_topic, config.labels_topic]
    source = log.source(topics, group=f"riverrun-{config.stream.name}")
    training = None if launch is None else partial(Supervisor, config, log, store, clock, launch)
    sink = log.sink()
    return Worker(config, source, sink, store, make_line=make_line, clock=clock, training=training)
