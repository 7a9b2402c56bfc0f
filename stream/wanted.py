"""Predictions most worth a person's label: those that the model is least sure of.

River's ``active.EntropySampler`` asks for the label of a prediction with the probability that its
normalised entropy is. Here the predictions are there already and wait, so the same number ranks
them: the budget goes to the highest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import nlargest
from math import log2
from statistics import pstdev
from typing import Any

import msgspec
import numpy as np

from stream.learner import Prediction, decide, probabilities
from stream.sections import Task
from stream.waiting import Pending, Waiting

_EVENT_MAX, _TOGETHER_MAX = 16_384, 1_048_576


class Wanted:
    """The most uncertain predictions that wait for a label.

    Made anew with each checkpoint from what was there before and what has come since: nothing is
    done by event. It is no part of the state, since it follows from what waits.

    Parameters
    ----------
    task
        What the model is for.
    budget
        How many are wanted at most.

    Examples
    --------
    >>> waiting = Waiting[Pending](max_entries=10, max_delay=1_000)
    >>> for number, stated in enumerate([0.85, 0.45, 0.1]):
    ...     waiting.add(Pending(f"e{number}", number, 0, 0, b"{}", stated, (None, None)))
    >>> [(one.id, round(found, 2)) for found, one in Wanted("binary", 2).renew(waiting, [])]
    [('e1', 0.99), ('e0', 0.61)]
    """

    def __init__(self, task: Task, budget: int) -> None:
        self._task = task
        self._budget = budget
        self._best: list[tuple[float, Pending]] | None = None

    def renew(
        self, pending: Waiting[Pending], fresh: Iterable[Pending]
    ) -> Sequence[tuple[float, Pending]]:
        """Return the most uncertain ones with their uncertainty, the highest first.

        Parameters
        ----------
        pending
            All that waits.
        fresh
            What has come since the last time, and still waits.
        """
        kept = [row for row in self._best or [] if pending.get(row[1].id) is row[1]]
        # Where labels have come for most of them, others are looked for among all that waits.
        if self._best is None or 2 * len(kept) < min(self._budget, len(pending)):
            kept, fresh = [], pending
        known = {one.id for _, one in kept}
        if self._task in ("binary", "anomaly"):
            fresh = nearest_to_half(list(fresh), self._budget)
        rows = [(score, one) for one in fresh if (score := self._score(one)) > 0]
        rows = [*kept, *(row for row in rows if row[1].id not in known)]
        self._best = nlargest(self._budget, rows, key=_rank)
        return self._best

    def _score(self, one: Pending) -> float:
        return uncertainty(self._task, one.prediction, one.shadows)


def nearest_to_half(waiting: Sequence[Pending], count: int) -> Sequence[Pending]:
    """Return those whose stated probability is nearest to a half; of equals those that come first.

    Entropy falls with the distance from a half: so only these need it computed.
    """
    if len(waiting) <= count:
        return waiting
    stated = np.fromiter(
        (p if isinstance(p := one.prediction, float) else -1.0 for one in waiting),
        float,
        len(waiting),
    )
    nearest = np.argsort(np.abs(stated - 0.5), kind="stable")[:count]
    return [waiting[place] for place in nearest]


def uncertainty(
    task: Task, prediction: Prediction, shadows: dict[str, Prediction] | None = None
) -> float:
    """Return how unsure a prediction is; 0 where nothing can be said.

    Parameters
    ----------
    task
        What the model is for.
    prediction
        As ``Learner.predict`` returns it.
    shadows
        What challengers said of the same event.

    Returns
    -------
    float
        For probabilities (and an anomaly's score) their entropy over that of equal ones, from 0 to
        1, as ``river.active.EntropySampler`` has it. A regression states no probability: there it
        is the standard deviation of what model and challengers say, in the label's unit.

    Examples
    --------
    >>> uncertainty("binary", 0.5), uncertainty("binary", 1.0), uncertainty("binary", None)
    (1.0, 0.0, 0.0)
    >>> uncertainty("multiclass", {"a": 0.5, "b": 0.5, "c": 0.0})
    1.0
    >>> uncertainty("regression", 10.0, {"challenger": 14.0}), uncertainty("regression", 10.0)
    (2.0, 0.0)
    """
    if isinstance(prediction, dict):
        return _entropy([p for p in prediction.values() if p > 0])
    if not isinstance(prediction, int | float):
        return 0.0
    if task == "regression":
        said = [value for value in (shadows or {}).values() if isinstance(value, int | float)]
        return pstdev([prediction, *said]) if said else 0.0
    return _entropy([prediction, 1 - prediction]) if 0 < prediction < 1 else 0.0


def write_wanted(
    rows: Sequence[tuple[float, Pending]], task: Task, waiting: int, max_delay: int
) -> bytes:
    """Return the most uncertain predictions as JSON.

    Parameters
    ----------
    rows
        As ``Wanted.renew`` returns them.
    task
        What the model is for.
    waiting
        How many predictions wait in all.
    max_delay
        How long a prediction waits, in milliseconds of event time.
    """
    room = _TOGETHER_MAX
    shown: list[dict[str, Any]] = []
    for score, one in rows:
        size = len(one.value)
        is_small = size <= min(_EVENT_MAX, room)
        room -= size if is_small else 0
        shown.append(
            {
                "id": one.id,
                "time": one.time,
                "until": one.time + max_delay,
                "prediction": decide(task, one.prediction),
                "probabilities": probabilities(task, one.prediction),
                "uncertainty": round(score, 6),
                "event": msgspec.Raw(one.value) if is_small else None,
            }
        )
    return msgspec.json.encode({"waiting": waiting, "wanted": shown})


def _entropy(shares: Sequence[float]) -> float:
    if len(shares) < 2:
        return 0.0
    return -sum(p * log2(p) for p in shares) / log2(len(shares))


def _rank(row: tuple[float, Pending]) -> tuple[float, int]:
    """Return what ranks: uncertainty, and of equals the one that came first."""
    return row[0], -row[1].seq
