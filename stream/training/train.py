"""One training, from its range of the log up to the live position."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import sleep
from typing import Any

import msgspec

from monitor.schema_text import schema_from_toml
from stream.checkpoint import Snapshot
from stream.clock import Clock
from stream.config import Config
from stream.learner import Learner
from stream.lifecycle.shadow import Adopted
from stream.line import Line
from stream.log import Log, Source
from stream.records import Offsets, Record, TopicPartition
from stream.snapshot import restore, take_snapshot
from stream.step import Step
from stream.storage.identity import fingerprint, libraries
from stream.storage.store import Store
from stream.training.bounded import BoundedReader, is_reached
from stream.training.job import Candidates, Job
from stream.training.span import newest_first, start_of_range
from stream.training.training_line import training_line
from stream.watching.state import write_reference

_BATCH = 1_000
_TELL_SECONDS = 0.5
_POLL_SECONDS = 0.25
_WAIT_SECONDS = 0.2


Handling = Callable[[Line, Sequence[Record]], Step]
"""Lets a line that only trains handle records."""


class AbandonedError(Exception):
    """Nobody wants this training any more."""


def handle_plainly(line: Line, records: Sequence[Record]) -> Step:
    """Let a line handle records, without a time of day."""
    return line.handle(records, 0)


class Training:
    """Trains the candidates of one run.

    Parameters
    ----------
    job
        What is trained.
    config
        The stream's.
    log, store
        Its own connections.
    clock
        For the times that it tells.
    is_wanted
        Asked now and then; a training that is not wanted ends.
    sleep
        Waits for the stream to go on.
    handle
        Lets the line handle records.
    sign
        Gives a sign of life between batches.
    """

    def __init__(
        self,
        job: Job,
        config: Config,
        log: Log,
        store: Store,
        clock: Clock,
        is_wanted: Callable[[], bool] = lambda: True,
        sleep: Callable[[float], None] = sleep,
        handle: Handling = handle_plainly,
        sign: Callable[[], None] = lambda: None,
    ) -> None:
        self._job = job
        self._config = config
        self._log = log
        self._store = store
        self._clock = clock
        self._is_wanted = is_wanted
        self._sleep = sleep
        self._handle = handle
        self._sign = sign
        self._told = float("-inf")
        self._began = 0.0
        schema = None if job.schema is None else schema_from_toml(job.schema)
        self.line = training_line(config, job.pipelines, schema)

    def run(self) -> None:
        """Train until the live position is reached, and leave the candidates in the store.

        Raises
        ------
        AbandonedError
            When another worker has taken over, or ``is_wanted`` says so.
        RiverrunError
        """
        self._began = began = self._clock.monotonic()
        start, found_by = start_of_range(
            newest_first(self._store.history), self._job.since, self._config.retrain.window
        )
        source = self._log.source([self._config.events_topic, self._config.labels_topic])
        try:
            self._begin_at(source, start)
            first = {str(place): offset for place, offset in self.line.offsets.items()}
            self._follow(source)
        finally:
            source.close()
        seconds = self._clock.monotonic() - began
        counts = self.line.counts
        detail = {
            "range": {"from": first, "to": _named(self.line.offsets), "found_by": found_by},
            "events": counts.events,
            "learned": counts.learned,
            "dead_lettered": counts.dead_lettered,
            "seconds": round(seconds, 3),
            "scores": self.line.scores.summary(),
            "seed": self._config.model.seed,
            "schema": self._job.schema,
            "fingerprint": fingerprint(self._config),
            "libraries": libraries(),
        }
        self._tell("done", detail, pack(self.line, detail))

    def _begin_at(self, source: Source, start: Offsets) -> None:
        bounds = source.bounds()
        begin = {
            place: max(start.get(place, held.earliest), held.earliest)
            for place, held in bounds.items()
        }
        self.line.offsets = begin
        source.seek(begin)

    def _follow(self, source: Source) -> None:
        """Learn up to what the worker has committed, again and again until that is all."""
        reader = BoundedReader(source)
        while True:
            target = self._target()
            if is_reached(self.line.offsets, target) and self._has_enough():
                return
            self._learn_up_to(reader, target)
            if not self._has_enough():
                self._progress(target)
                self._sleep(_WAIT_SECONDS)

    def _learn_up_to(self, reader: BoundedReader, target: Offsets) -> None:
        reader.begin(self.line.offsets)
        while not is_reached(self.line.offsets, target):
            records, _ = reader.poll(target, _BATCH, _POLL_SECONDS)
            self._handle(self.line, records)
            self._progress(target)

    def _has_enough(self) -> bool:
        return self.line.counts.learned >= self._config.retrain.min_events

    def _target(self) -> Offsets:
        newest = self._store.newest()
        if newest is None:
            return {}
        return {TopicPartition.parse(place): at for place, at in newest.offsets.items()}

    def _progress(self, target: Offsets) -> None:
        self._sign()
        now = self._clock.monotonic()
        if now - self._told < _TELL_SECONDS:
            return
        self._told = now
        left = sum(max(0, end - self.line.offsets.get(at, 0)) for at, end in target.items())
        counts = self.line.counts
        rate = counts.events / max(now - self._began, 1e-9)
        progress = {"learned": counts.learned, "events": counts.events, "left": left}
        self._tell("running", progress | {"rate": round(rate, 1)})

    def _tell(self, state: str, progress: dict[str, Any], data: bytes | None = None) -> None:
        run, epoch = self._job.run, self._job.epoch
        told = self._store.runs.tell_training(run, epoch, state, progress, self._clock.now(), data)
        if not told or not self._is_wanted():
            raise AbandonedError


def pack(line: Line, detail: dict[str, Any]) -> bytes:
    """Return a trained line as bytes; see ``unpack``."""
    snapshot, _ = take_snapshot(line)
    watch = line.watch
    reference = watch.make_reference() if watch is not None else None  # type: ignore[attr-defined]
    return msgspec.msgpack.encode(
        Candidates(
            offsets=snapshot.offsets,
            parts=snapshot.parts,
            chunks={k: w.data for k, w in snapshot.chunks.items() if w.data is not None},
            reference=None if reference is None else write_reference(reference),
            detail=detail,
        )
    )


def unpack(data: bytes, line: Line) -> Candidates:
    """Make a fresh training line what it was, and return what came with it.

    Parameters
    ----------
    data
        Verified: it is unpickled here.
    line
        Of the same candidates.
    """
    made = msgspec.msgpack.decode(data, type=Candidates)
    snapshot = Snapshot(made.offsets, line.version, made.parts, {})
    restore(line, snapshot, {kind: [(1, chunk)] for kind, chunk in made.chunks.items()})
    return made


def adopted(line: Line, pipelines: dict[str, str]) -> list[Adopted]:
    """Return the candidates of a training line."""
    shadows = line.lifecycle.shadows if line.lifecycle is not None else []
    models: dict[str, Learner] = {next(iter(pipelines)): line.learner}
    models |= {shadow.name: shadow.learner for shadow in shadows if shadow.failed is None}
    return [Adopted(name, pipelines[name], learner) for name, learner in models.items()]


def _named(offsets: Offsets) -> dict[str, int]:
    return {str(place): offset for place, offset in offsets.items()}
