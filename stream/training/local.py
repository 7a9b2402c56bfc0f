"""A training at once and in this process, over records at hand: for policies on history."""

from __future__ import annotations

from collections.abc import Sequence

from stream.clock import Clock
from stream.config import Config
from stream.errors import RiverrunError
from stream.lifecycle.live import adopt, fail
from stream.lifecycle.run import Run
from stream.line import Line
from stream.records import Record, TopicPartition
from stream.training.span import start_of_range
from stream.training.train import adopted
from stream.training.training_line import training_line

_BATCH = 1_000


class LocalTrainer:
    """Trains the candidates of runs as a worker's training process would.

    The same range of the log by the same rule, the same training line, and adoption at the live
    position. No event passes meanwhile, but for those that a range with too few events waits for.

    Parameters
    ----------
    config
        The stream's.
    history
        All records, in the order in which the line reads them.
    clock
        Measures how long trainings take.

    Attributes
    ----------
    seconds
        Spent on training so far.
    """

    def __init__(self, config: Config, history: Sequence[Record], clock: Clock) -> None:
        self._config = config
        self._history = history
        self._clock = clock
        self._run: int | None = None
        self._line: Line | None = None
        self._start = self._position = 0
        self._found_by = ""
        self._began = 0.0
        self.seconds = 0.0

    def tick(self, line: Line, position: int) -> None:
        """Train for the run under way, if it wants that.

        Parameters
        ----------
        line
            The live one.
        position
            How many records it has handled.
        """
        run = line.lifecycle.run if line.lifecycle is not None else None
        if run is None or run.phase != "training":
            self._run = self._line = None
            return
        started = self._clock.monotonic()
        try:
            self._train(line, run, position)
        except RiverrunError as error:
            fail(line, f"The training failed: {error}.")
        finally:
            self.seconds += self._clock.monotonic() - started

    def _train(self, line: Line, run: Run, position: int) -> None:
        if self._line is None or run.number != self._run:
            self._run, self._began = run.number, self.seconds
            schema = line.watch.monitor.schema if line.watch is not None else None
            self._line = training_line(self._config, run.pipelines, schema)
            self._start = self._position = self._first(line, run, position)
        trained, begun = self._line, self._clock.monotonic()
        for start in range(self._position, position, _BATCH):
            trained.handle(self._history[start : min(position, start + _BATCH)], 0)
        self._position = position
        if trained.counts.learned < self._config.retrain.min_events:
            return
        watch = trained.watch
        reference = watch.make_reference() if watch is not None else None  # type: ignore[attr-defined]
        detail = {
            "range": {"first": self._start, "end": position, "found_by": self._found_by},
            "events": trained.counts.events,
            "learned": trained.counts.learned,
            "seconds": self.seconds - self._began + self._clock.monotonic() - begun,
        }
        adopt(line, adopted(trained, run.pipelines), reference, detail)

    def _first(self, line: Line, run: Run, position: int) -> int:
        """Return the place in the history of the first record to train on."""
        rows = reversed(line.watch.rows) if line.watch is not None else ()
        start, self._found_by = start_of_range(rows, run.since, self._config.retrain.window)
        if not start:
            return 0
        while position and _is_wanted(self._history[position - 1], start):
            position -= 1
        return position


def _is_wanted(record: Record, start: dict[TopicPartition, int]) -> bool:
    return record.offset >= start.get(TopicPartition(record.topic, record.partition), 0)
