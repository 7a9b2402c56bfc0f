"""One policy on a history: the line, its lifecycle and its gate, with trainings at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from monitor.arrays import FloatArray
from stream.backtest.policies import Policy, under
from stream.backtest.result import PolicyResult, RunStory, told
from stream.build import line_factory
from stream.clock import Clock
from stream.config import Config
from stream.errors import HaltedError
from stream.lifecycle.live import by_schedule
from stream.line import Line
from stream.records import Record
from stream.training.local import LocalTrainer
from stream.watching.losses import losses

CHUNK = 100
"""Records between two looks at the runs: a challenger is adopted so soon after it was wanted."""


class Replay:
    """Replays a history under one policy.

    Parameters
    ----------
    config
        The stream's; its broker and its store are not used.
    history
        Events and labels, in the order in which a worker would have read them.
    policy
        What retrains.
    clock
        For costs only; nothing else depends on it.
    every
        See ``under``.
    where
        Names the configuration in error messages.

    Raises
    ------
    ConfigError
        When the pipeline cannot be built.
    """

    def __init__(
        self,
        config: Config,
        history: Sequence[Record],
        policy: Policy,
        clock: Clock,
        *,
        every: int | None = None,
        where: str = "riverrun.toml",
    ) -> None:
        self._config = under(config, policy, every)
        self._history = history
        self._policy: Policy = policy
        self._clock = clock
        self._line = line_factory(self._config, where)("v1")
        # The last labels are read chunk by chunk from the window of the rolling scores.
        self._chunk = min(CHUNK, self._config.model.window)
        self._runs: dict[int, RunStory] = {}
        self._drifts: list[tuple[int, str]] = []
        self._at: list[FloatArray] = [np.empty(0)]
        self._losses: list[FloatArray] = [np.empty(0)]

    @property
    def line(self) -> Line:
        """The line as it stands."""
        return self._line

    def run(self, on_chunk: Callable[[int], None] = lambda _: None) -> PolicyResult:
        """Replay everything.

        Parameters
        ----------
        on_chunk
            Told how many records were handled, for progress.

        Raises
        ------
        HaltedError
            When too many records are dead letters, as the worker would halt.
        """
        started = self._clock.monotonic()
        line, history = self._line, self._history
        trainer = LocalTrainer(self._config, history, self._clock)
        for start in range(0, len(history), self._chunk):
            stop = min(start + self._chunk, len(history))
            events, scored = line.counts.events, line.scores.scored
            step = line.handle(history[start:stop], history[stop - 1].timestamp)
            if step.halt is not None:
                raise HaltedError(f"the replay of {self._policy!r} ended early: {step.halt}")
            for _, finding in step.findings:
                if finding.drift is not None:
                    self._drifts.append((line.counts.events, finding.drift.by))
            self._score(events, line.scores.scored - scored)
            if line.watermark is not None:
                by_schedule(line, self._config.retrain.schedule, line.watermark / 1000)
            trainer.tick(line, stop)
            self._tell()
            on_chunk(stop)
        return self._result(trainer.seconds, self._clock.monotonic() - started)

    def _score(self, events: int, fresh: int) -> None:
        """Take down the losses of a chunk's labels, evenly spread over its events."""
        if not fresh:
            return
        line = self._line
        pairs = line.scores.recent()[-fresh:]
        lost = losses(self._config.model.task, *map(list, zip(*pairs, strict=True)))
        came = line.counts.events - events
        self._at.append(np.linspace(events + came / fresh, events + came, fresh))
        self._losses.append(lost)

    def _tell(self) -> None:
        lifecycle = self._line.lifecycle
        if lifecycle is None:
            return
        for change in lifecycle.changes:
            told(self._runs, change, self._line.counts.events)
        lifecycle.mark_committed()

    def _result(self, training_seconds: float, seconds: float) -> PolicyResult:
        line = self._line
        counts, watch = line.counts, line.watch
        metrics = line.scores.fresh_metrics()
        return PolicyResult(
            policy=self._policy,
            events=counts.events,
            labelled=counts.matched,
            dead_lettered=counts.dead_lettered,
            unlearned=counts.unlearned,
            scores=line.scores.summary()["model"],
            better={name: bool(metric.bigger_is_better) for name, metric in metrics.items()},
            runs=list(self._runs.values()),
            drifts=self._drifts,
            panes=0 if watch is None else watch.totals.panes,
            training_seconds=training_seconds,
            seconds=seconds,
            at=np.concatenate(self._at),
            losses=np.concatenate(self._losses),
        )
