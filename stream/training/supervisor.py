"""The worker's side of a training: it begins, is watched, catches up, and goes into the shadow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import structlog

from monitor.schema_text import schema_to_toml
from stream.clock import Clock
from stream.config import Config
from stream.errors import RiverrunError
from stream.lifecycle.live import adopt, fail, place_of
from stream.lifecycle.run import Run
from stream.line import Line
from stream.log import Log, Source
from stream.storage.store import Store
from stream.training.bounded import BoundedReader
from stream.training.job import Candidates, Job
from stream.training.train import Handling, adopted, handle_plainly, unpack
from stream.training.training_line import training_line
from stream.watching.state import read_reference

_log = structlog.get_logger("riverrun.training")

_LOOK_SECONDS = 0.5
_LONGEST_LOOK_SECONDS = 2.0
"""A look that came later was one of a worker that stood still: it counts as this."""
_SILENCE_SECONDS = 60.0
"""What a training may be silent for beyond what an event may take: it starts, and packs models."""
_ATTEMPTS = 3
_SLICE_SECONDS = 0.1
_BATCH = 500
_SHORT = 4_000
"""Records so few that the rest of a catch-up is done in one go."""


class Process(Protocol):
    """A training that runs elsewhere."""

    def is_alive(self) -> bool:
        """Return whether it still runs."""

    def heard(self) -> bool:
        """Return whether it gave a sign of life since this was last asked."""

    def end(self) -> None:
        """End it now. May be called twice."""


Launch = Callable[[Job], Process]


class Supervisor:
    """Looks after the training of the run that is under way, if there is one.

    Parameters
    ----------
    config
        The stream's.
    log, store
        The worker's.
    clock
        For the spacing of looks.
    launch
        Starts a training in another process.
    epoch
        The worker's.

    Attributes
    ----------
    handle
        Lets a line handle records while candidates catch up.

    Notes
    -----
    A training begins when its run is in a committed checkpoint: it reads the panes and the offsets
    from there.
    """

    def __init__(
        self, config: Config, log: Log, store: Store, clock: Clock, launch: Launch, epoch: int
    ) -> None:
        self._config = config
        self._log = log
        self._store = store
        self._clock = clock
        self._launch = launch
        self._epoch = epoch
        self._process: Process | None = None
        self._run: int | None = None
        self._attempts = 0
        self._looked = float("-inf")
        self._silent = 0.0
        self._catching_up: CatchUp | None = None
        self._taken: int | None = None
        self._committed: int | None = None
        self.handle: Handling = handle_plainly

    def tick(self, line: Line) -> bool:
        """Do what is due between two turns; return whether the line's state changed."""
        run = line.lifecycle.run if line.lifecycle is not None else None
        if run is None or run.phase != "training":
            if self._run is not None:  # it was called off: what it leaves is not wanted
                self._taken = self._run
            self.stop()
            return False
        if run.number != self._committed:
            return False
        if run.number != self._run:
            self.stop()
            self._run, self._attempts = run.number, 0
        if self._catching_up is not None:
            return self._catch_up(line, run)
        now = self._clock.monotonic()
        passed = now - self._looked
        if passed < _LOOK_SECONDS:
            return False
        self._looked = now
        return self._look(line, run, min(passed, _LONGEST_LOOK_SECONDS))

    def after_commit(self, line: Line) -> None:
        """Take note of a run that is committed; forget a training whose candidates are."""
        run = line.lifecycle.run if line.lifecycle is not None else None
        self._committed = None if run is None else run.number
        if self._taken is not None:
            self._store.runs.forget_training(self._taken)
            self._taken = None

    def stop(self) -> None:
        """End the process and the catch-up, if there are any."""
        if self._process is not None:
            self._process.end()
        if self._catching_up is not None:
            self._catching_up.close()
        self._process, self._catching_up, self._run = None, None, None

    def _look(self, line: Line, run: Run, passed: float) -> bool:
        training = self._store.runs.training(run.number)
        if training is not None and training.state == "done":
            return self._begin_catching_up(line, run)
        if training is not None and training.state == "failed" and training.epoch == self._epoch:
            return self._failed(line, run, str(training.progress.get("reason", "unknown")))
        if self._process is None:
            self._begin(line, run)
        elif not self._process.is_alive():
            self._process.end()
            self._process = None
            if self._attempts >= _ATTEMPTS:
                return self._failed(line, run, f"its process ended {_ATTEMPTS} times")
        elif self._is_silent(passed):
            said = f"it gave no sign of life for {self._silent:,.0f} s (worker.stuck_after)"
            return self._failed(line, run, said)
        return False

    def _is_silent(self, passed: float) -> bool:
        """Return whether a training hangs where its own watchdog cannot say so."""
        heard = self._process is None or self._process.heard()
        self._silent = 0.0 if heard else self._silent + passed
        bearable = self._config.worker.stuck_after / 1000
        return bearable > 0 and self._silent > bearable + _SILENCE_SECONDS

    def _begin(self, line: Line, run: Run) -> None:
        self._attempts += 1
        self._store.runs.begin_training(run.number, self._epoch, self._clock.now())
        schema = line.watch.monitor.schema if line.watch is not None else None
        job = Job(
            config=self._config.model_dump(mode="json", exclude_none=True),
            run=run.number,
            epoch=self._epoch,
            pipelines=run.pipelines,
            since=run.since,
            schema=None if schema is None else schema_to_toml(schema),
        )
        self._process, self._silent = self._launch(job), 0.0
        _log.info("training", run=run.number, version=run.version, attempt=self._attempts)

    def _begin_catching_up(self, line: Line, run: Run) -> bool:
        try:
            data = self._store.runs.candidates(run.number)
            schema = line.watch.monitor.schema if line.watch is not None else None
            fresh = training_line(self._config, run.pipelines, schema)
            made = unpack(data, fresh)
            self._catching_up = CatchUp(
                self._config, self._log, fresh, made, self._clock, self.handle
            )
        except RiverrunError as error:
            return self._failed(line, run, str(error))
        return self._catch_up(line, run)

    def _catch_up(self, line: Line, run: Run) -> bool:
        catching_up = self._catching_up
        if catching_up is None or not catching_up.step(line):
            return False
        made = catching_up.made
        reference = None if made.reference is None else read_reference(made.reference)
        caught_up = {"caught_up": place_of(catching_up.line)}
        adopt(line, adopted(catching_up.line, run.pipelines), reference, made.detail | caught_up)
        _log.info("in_the_shadow", run=run.number, version=run.version)
        self._taken = run.number
        self.stop()
        return True

    def _failed(self, line: Line, run: Run, reason: str) -> bool:
        _log.error("training_failed", run=run.number, reason=reason)
        fail(line, f"The training failed: {reason}.")
        self._taken = run.number
        self.stop()
        return True


class CatchUp:
    """Brings a trained line to where the worker is, a slice of time at a time.

    Parameters
    ----------
    config, log
        Of the stream.
    line, made
        What was trained.
    clock
        For the length of a slice.
    handle
        Lets the line handle records.
    """

    def __init__(
        self,
        config: Config,
        log: Log,
        line: Line,
        made: Candidates,
        clock: Clock,
        handle: Handling = handle_plainly,
    ) -> None:
        self._handle = handle
        self.line = line
        self.made = made
        self._clock = clock
        topics = [config.events_topic, config.labels_topic]
        self._source: Source = log.source(topics)
        self._source.seek(line.offsets)
        self._reader = BoundedReader(self._source)

    def step(self, live: Line) -> bool:
        """Learn from what the live line has handled since; return whether that is all."""
        end = self._clock.monotonic() + _SLICE_SECONDS
        self._reader.begin(self.line.offsets)
        while (gap := _gap(self.line, live)) > 0:
            if gap > _SHORT and self._clock.monotonic() > end:
                return False
            records, any_came = self._reader.poll(live.offsets, _BATCH, 0.25)
            self._handle(self.line, records)
            if not any_came:
                return False
        return True

    def close(self) -> None:
        """Let go of the source."""
        self._source.close()


def _gap(line: Line, live: Line) -> int:
    return sum(max(0, end - line.offsets.get(at, 0)) for at, end in live.offsets.items())
