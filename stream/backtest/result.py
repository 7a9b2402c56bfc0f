"""What a policy did on a history."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgspec
import numpy as np

from monitor.arrays import FloatArray
from stream.backtest.policies import Policy

WINDOW = 500
"""Labels of the rolling loss."""

_BEFORE = 1_000
_RECOVERED = 1.1


class RunStory(msgspec.Struct):
    """One retraining: what began it, what became of it, and at which event.

    Parameters
    ----------
    number, version
        Of the run.
    trigger, reason
        Why it began.
    began
        Event at which it began, counted from 1.
    trained
        Event at which its challenger went into the shadow.
    learned, seconds
        Events that it was trained on, and how long that took.
    promoted, ended
        Events of its promotion and of its end.
    outcome
        ``kept``, ``rolled_back``, ``rejected``, ``failed``; or, where the history ended first, the
        phase that it was in.
    sentence
        What was said last.
    """

    number: int
    version: str
    trigger: str
    reason: str
    began: int
    trained: int | None = None
    learned: int = 0
    seconds: float = 0.0
    promoted: int | None = None
    ended: int | None = None
    outcome: str = "training"
    sentence: str = ""

    @property
    def is_wasted(self) -> bool:
        """Whether it ended without a gain."""
        return self.outcome in ("rejected", "failed", "rolled_back", "cancelled")


class ChangeAnswer(msgspec.Struct, frozen=True):
    """How long a policy took after a change, in events; None where it never did.

    Parameters
    ----------
    change
        Its event.
    before
        Mean loss of the last labels before it.
    noticed
        Until a run began.
    promoted
        Until a model of a run that began after the change was promoted.
    recovered
        Until the rolling loss, over labels after the change only, was within a tenth of ``before``.
    """

    change: int
    before: float | None
    noticed: int | None
    promoted: int | None
    recovered: int | None


class PolicyResult(msgspec.Struct):
    """One policy on one history.

    Parameters
    ----------
    policy
        Its name.
    events, labelled
        Events read, and those whose label met a prediction.
    dead_lettered, unlearned
        Events that could not be used, and those not learned from while learning was paused.
    scores, better
        Metrics over the whole history, and by name whether more of it is better.
    runs
        In order.
    drifts
        Events at which the monitor found that the loss had changed, and who found it.
    panes
        Closed panes of the monitor.
    training_seconds, seconds
        Spent on training, and in all.
    at, losses
        Of each label whose event was predicted (before a model has learned anything it may say
        nothing): how many events had come, and the loss.
    """

    policy: Policy
    events: int
    labelled: int
    dead_lettered: int
    unlearned: int
    scores: dict[str, float | None]
    better: dict[str, bool]
    runs: list[RunStory]
    drifts: list[tuple[int, str]]
    panes: int
    training_seconds: float
    seconds: float
    at: FloatArray
    losses: FloatArray

    @property
    def loss(self) -> float | None:
        """Mean loss over the whole history."""
        return float(self.losses.mean()) if len(self.losses) else None

    def count(self, what: str) -> int:
        """Count runs that are ``promoted``, ``wasted``, ``rolled_back``, or under way."""
        if what == "promoted":
            return sum(run.promoted is not None for run in self.runs)
        if what == "wasted":
            return sum(run.is_wasted for run in self.runs)
        return sum(run.outcome == what for run in self.runs)

    def rolling(self, points: int, window: int = WINDOW) -> tuple[list[float], list[float]]:
        """Return the rolling loss at evenly spaced labels: events so far, and mean loss."""
        if not len(self.losses):
            return [], []
        sums = np.concatenate([[0.0], self.losses.cumsum()])
        ends = np.unique(np.linspace(1, len(self.losses), points).round().astype(int))
        starts = np.maximum(0, ends - window)
        means = (sums[ends] - sums[starts]) / (ends - starts)
        return self.at[ends - 1].tolist(), means.tolist()

    def answers(self, changes: list[int]) -> list[ChangeAnswer]:
        """Return how long it took after each of some changes, up to the next of them.

        Parameters
        ----------
        changes
            Events at which something changed, counted from 1, rising.
        """
        bounds = [*changes, self.events + 1]
        return [self._answer(*pair) for pair in pairwise(bounds)]

    def _answer(self, change: int, end: int) -> ChangeAnswer:
        runs = [run for run in self.runs if change <= run.began < end]
        promoted = [r.promoted for r in runs if r.promoted is not None and r.promoted < end]
        known = self.losses[self.at < change][-_BEFORE:]
        before = float(known.mean()) if len(known) else None
        return ChangeAnswer(
            change,
            before,
            noticed=runs[0].began - change if runs else None,
            promoted=promoted[0] - change if promoted else None,
            recovered=None if before is None else self._recovered(change, end, before),
        )

    def _recovered(self, change: int, end: int, before: float) -> int | None:
        after = (self.at >= change) & (self.at < end)
        losses, at = self.losses[after], self.at[after]
        if len(losses) < WINDOW:
            return None
        sums = np.concatenate([[0.0], losses.cumsum()])
        means = (sums[WINDOW:] - sums[:-WINDOW]) / WINDOW
        good = np.flatnonzero(means <= _RECOVERED * before)
        return round(float(at[good[0] + WINDOW - 1])) - change if len(good) else None


def told(runs: dict[int, RunStory], change: Any, event: int) -> None:
    """Take a change of a run into its story.

    Parameters
    ----------
    runs
        By number.
    change
        A ``RunChange`` of the lifecycle.
    event
        How many events had come.
    """
    detail = change.detail
    if change.number not in runs:
        reason = str(detail.get("request", {}).get("reason", ""))
        trigger = str(detail.get("trigger", ""))
        runs[change.number] = RunStory(change.number, change.version, trigger, reason, event)
    run = runs[change.number]
    run.sentence = change.sentence
    if change.state in ("racing", "shadow") and run.trained is None:
        run.trained, run.learned = event, int(detail.get("learned", 0))
        run.seconds = float(detail.get("seconds", 0.0))
    if change.state == "promoted":
        run.promoted = event
    elif change.state in ("kept", "rejected", "failed", "rolled_back", "cancelled"):
        run.ended = event
    run.outcome = change.state
