"""Any model: Shapley values by sampling orders of features.

Starting from a background event its features are replaced by the event's own, one after the other
in a random order; the step that the prediction takes is the feature's part. The mean over orders
is its Shapley value. Each order is also gone backwards, which lowers the variance.

Štrumbelj and Kononenko, "Explaining prediction models and individual predictions with feature
contributions", Knowledge and Information Systems 41 (2014).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import cycle
from math import sqrt
from statistics import fmean, variance
from typing import Any

from serve.explain.deadline import Deadline
from serve.explain.explanation import CannotExplainError, Explanation
from serve.explain.target import Target
from stream.events import Features

_ABSENT: Any = object()
_PAIRS_MAX = 2_000


def explain_by_sampling(
    features: Features,
    target: Target,
    background: Sequence[Features],
    deadline: Deadline,
    *,
    seed: int = 0,
) -> Explanation:
    """Explain whatever can predict, until time is up.

    Parameters
    ----------
    features
        Of the event.
    target
        What is explained.
    background
        Events that stand for an absent feature.
    deadline
        When to stop. What is not whole by then is left out.
    seed
        Of the orders.

    Raises
    ------
    CannotExplainError
        Without a background, or where not one order could be gone through in time.
    """
    if not background:
        raise CannotExplainError("the checkpoint holds no events to compare with yet")
    names = list(dict.fromkeys([*features, *(name for one in background for name in one)]))
    rng = random.Random(seed)  # noqa: S311 - not for secrets
    parts: dict[str, list[float]] = {name: [] for name in names}
    bases: list[float] = []
    for start in cycle(background):
        if deadline.is_over or len(bases) >= _PAIRS_MAX:
            break
        order = names.copy()
        rng.shuffle(order)
        there = _walk(features, start, order, target, deadline)
        back = _walk(features, start, order[::-1], target, deadline)
        if there is None or back is None:
            break
        for name in names:
            parts[name].append((there[0][name] + back[0][name]) / 2)
        bases.append(there[1])
    if not bases:
        raise CannotExplainError(
            f"{2 * len(names) + 2} predictions, for one order of {len(names)} features, took "
            f"longer than {deadline.seconds * 1000:.0f} ms"
        )
    return Explanation(
        "sampling",
        target.space,
        target.name,
        target.said,
        fmean(bases),
        {name: fmean(found) for name, found in parts.items()},
        errors={name: _error(found) for name, found in parts.items()},
        samples=2 * len(bases),
        background=min(len(background), len(bases)),
    )


def _walk(
    features: Features, start: Features, order: list[str], target: Target, deadline: Deadline
) -> tuple[dict[str, float], float] | None:
    """Return each feature's step in one order, and where it began; None when time is up."""
    mixed = dict(start)
    base = said = target.of(mixed)
    steps: dict[str, float] = {}
    for name in order:
        value = features.get(name, _ABSENT)
        if value == mixed.get(name, _ABSENT) and type(value) is type(mixed.get(name, _ABSENT)):
            steps[name] = 0.0
            continue
        if deadline.is_over:
            return None
        if value is _ABSENT:
            del mixed[name]
        else:
            mixed[name] = value
        now = target.of(mixed)
        steps[name], said = now - said, now
    return steps, base


def _error(found: list[float]) -> float:
    return sqrt(variance(found) / len(found)) if len(found) > 1 else abs(found[0])
