"""The gate on challengers that are no better, and on bad ones: how many are promoted.

Losses go through the real gate (`stream.lifecycle.gate.Gate`, level 0.01, margin 0.01, at least 500
and at most 20,000 labels in the shadow), looked at every 500 labels as panes close; `refresh` says
that not being worse is enough. Models are logistic regressions with the updates of River's own,
all of a kind trained at once in one matrix. The interval is Clopper and Pearson's, 95 %.

Every challenger has a stream and a champion of its own, so that all are independent.

- *same pipeline, learning on*: what production does. On a stationary stream the champion has
  learned from 20,000 events; the challenger is trained on a bootstrap sample of the last 5,000 of
  them (every tenth on the 5,000 before those), and both learn on. Some are truly better when they
  come, by luck of their sample, and to promote them is no error.
- *... and no better*: of such, those whose expected loss, on 50,000 fresh events, is not below the
  champion's when they come. This is the placebo.
- *... and no better, frozen*: the same, but neither learns on in the shadow.
- *coins*: the sharpest case. Losses are 0 or 1, independent, with the same mean of 0.3 for both.
- *coins, worse by the margin*: 0.31 against 0.30; a refresh that is promoted is an error here.
- *shuffled labels*: trained on 5,000 events whose labels were shuffled, and not learning on. With
  *learning on*, it learns from good labels in the shadow, and may become as good as the champion: a
  refresh that is promoted then is no error.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special, stats

from stream.lifecycle.gate import Gate, GateRules

RULES = GateRules()
PANE = 500
RATE = 0.01
FEATURES = 4
TRUTH = np.array([1.5, -1.0, 0.5, 0.0])
GROUP = 250
Array = np.ndarray[Any, np.dtype[np.float64]]
Case = Callable[[np.random.Generator, int], tuple[Array, Array]]
Decided = list[tuple[str, int]]


def features_and_labels(rng: np.random.Generator, count: int) -> tuple[Array, Array]:
    """Return events of a stationary stream: features of shape (events, features), and labels."""
    x = rng.standard_normal((count, FEATURES))
    return x, (rng.random(count) < special.expit(x @ TRUTH)).astype(np.float64)


class Models:
    """Logistic regressions that learn one event each at a time, as River's with its defaults do."""

    def __init__(self, count: int) -> None:
        self.weights = np.zeros((count, FEATURES))
        self.intercepts = np.zeros(count)

    def learn(self, x: Array, y: Array, rate: float = RATE) -> Array:
        """Learn from an event each, and return the losses before that.

        Parameters
        ----------
        x, y
            Shapes (models, features) and (models,).
        rate
            0 to learn nothing.
        """
        raw = np.einsum("mf,mf->m", self.weights, x) + self.intercepts
        gradient = special.expit(raw) - y
        if rate:
            self.weights -= rate * gradient[:, None] * x
            self.intercepts -= rate * gradient
        return np.asarray(np.abs(gradient))

    def expected(self, x: Array, y: Array) -> Array:
        """Return the mean loss of each model on the same events."""
        sums = np.zeros(len(self.intercepts))
        for start in range(0, len(x), 1_000):
            raw = x[start : start + 1_000] @ self.weights.T + self.intercepts
            sums += np.abs(special.expit(raw) - y[start : start + 1_000, None]).sum(axis=0)
        return sums / len(x)


def trained(rng: np.random.Generator, count: int, shuffled: bool = False) -> tuple[Models, Models]:
    """Return champions of 20,000 events of a stream each, and a challenger for each of them."""
    champions, challengers = Models(count), Models(count)
    held: list[tuple[Array, Array]] = []
    for at in range(20_000):
        x, y = features_and_labels(rng, count)
        champions.learn(x, y)
        if at >= 10_000:
            held.append((x.astype(np.float32), y.astype(np.float32)))
    xs, ys = np.stack([x for x, _ in held]), np.stack([y for _, y in held])
    first = np.where(np.arange(count) % 10 == 0, 0, 5_000)
    rows = first + rng.integers(0, 5_000, (5_000, count))
    each = np.arange(count)
    told = ys[rows, each]
    told = rng.permuted(told, axis=0) if shuffled else told
    for row, y in zip(rows, told, strict=True):
        challengers.learn(xs[row, each].astype(np.float64), y.astype(np.float64))
    return champions, challengers


def shadow(
    rng: np.random.Generator, champions: Models, challengers: Models, learn: bool
) -> tuple[Array, Array]:
    """Return the losses of both on fresh events, shape (events, models) each."""
    count, rate = len(champions.intercepts), RATE if learn else 0.0
    one, other = np.empty((2, RULES.max_labels, count))
    for at in range(RULES.max_labels):
        x, y = features_and_labels(rng, count)
        one[at], other[at] = champions.learn(x, y, rate), challengers.learn(x, y, rate)
    return one, other


def decide(champion: Array, challenger: Array, refresh: bool = False) -> tuple[str, int]:
    """Return the gate's decision on one challenger, and after how many labels."""
    gate = Gate(scale=1.0, margin=RULES.margin)
    for start in range(0, len(champion), PANE):
        gate.update(champion[start : start + PANE], challenger[start : start + PANE])
        verdict = gate.verdict(RULES)
        if verdict == "better" or (refresh and verdict == "not_worse"):
            return "promoted", gate.labels
        if verdict == "worse":
            return "rejected", gate.labels
    return "undecided", gate.labels


def compare(count: int, seed: int = 1) -> list[dict[str, Any]]:
    """Return two rows for each kind of challenger: without and with refresh."""
    rng = np.random.default_rng(seed)
    rows = []
    for kind, make in CASES.items():
        sys.stderr.write(f"placebo: {kind}\n")
        wanted = max(50, count // 5) if "shuffled" in kind else count
        plain, refresh = decisions(rng, make, wanted)
        rows += [_row(kind, False, plain), _row(kind, True, refresh)]
    return rows


def decisions(rng: np.random.Generator, make: Case, count: int) -> tuple[Decided, Decided]:
    """Return the decisions on so many challengers of a kind, without and with refresh."""
    plain: Decided = []
    refresh: Decided = []
    while len(plain) < count:
        champions, challengers = make(rng, min(GROUP, count))
        for one, other in zip(champions.T, challengers.T, strict=True):
            plain.append(decide(one, other))
            refresh.append(decide(one, other, refresh=True))
    return plain[:count], refresh[:count]


def _row(kind: str, refresh: bool, found: list[tuple[str, int]]) -> dict[str, Any]:
    tally = {name: sum(one == name for one, _ in found) for name in ("promoted", "rejected")}
    low, high = stats.binomtest(tally["promoted"], len(found)).proportion_ci(0.95)
    labels = [after for what, after in found if what != "undecided"]
    is_error = (kind, refresh) in ERRORS
    return {
        "challengers": kind,
        "refresh": "yes" if refresh else "no",
        "number": len(found),
        "promoted": f"{tally['promoted']} ({tally['promoted'] / len(found):.1%})",
        "interval": f"{low:.2%} to {high:.2%}",
        "an error": "yes" if is_error else "no",
        "within 1 %": ("yes" if tally["promoted"] / len(found) <= RULES.level else "NO")
        if is_error
        else "",
        "rejected": tally["rejected"],
        "labels to a decision": round(float(np.median(labels))) if labels else "none",
    }


def _coins(worse: float) -> Case:
    def make(rng: np.random.Generator, count: int) -> tuple[Array, Array]:
        one, other = rng.random((2, RULES.max_labels, count))
        return (one < 0.3).astype(np.float64), (other < 0.3 + worse).astype(np.float64)

    return make


def _models(*, learn: bool, shuffled: bool = False, no_better: bool = False) -> Case:
    def make(rng: np.random.Generator, count: int) -> tuple[Array, Array]:
        champions, challengers = trained(rng, count, shuffled)
        kept = np.full(count, True)
        if no_better:
            x, y = features_and_labels(rng, 50_000)
            kept = challengers.expected(x, y) >= champions.expected(x, y)
        one, other = shadow(rng, champions, challengers, learn=learn)
        return one[:, kept], other[:, kept]

    return make


SAME = "same pipeline, learning on"
NO_BETTER = "... and no better"
FROZEN = "... and no better, frozen"
CASES: dict[str, Case] = {
    SAME: _models(learn=True),
    NO_BETTER: _models(learn=True, no_better=True),
    FROZEN: _models(learn=False, no_better=True),
    "coins": _coins(0.0),
    "coins, worse by the margin": _coins(RULES.margin),
    "shuffled labels": _models(learn=False, shuffled=True),
    "shuffled labels, learning on": _models(learn=True, shuffled=True),
}
ERRORS = {
    (NO_BETTER, False),
    (FROZEN, False),
    ("coins", False),
    ("coins, worse by the margin", False),
    ("coins, worse by the margin", True),
    ("shuffled labels", False),
    ("shuffled labels", True),
    ("shuffled labels, learning on", False),
}
