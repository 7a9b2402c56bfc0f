"""The gate on challengers that are no better, and on bad ones: how many are promoted.

Losses go through the real gate (`stream.lifecycle.gate.Gate`, level 0.01, margin 0.01, at least 500
and at most 20,000 labels in the shadow), looked at every 500 labels as panes close; `refresh` says
that not being worse is enough. Models are logistic regressions with the updates of River's own,
all of a kind trained at once in one matrix. The interval is Clopper and Pearson's, 95 %.

- *same pipeline, learning on*: what production does. On a stationary stream the champion has
  learned from 20,000 events; each challenger is trained on a bootstrap sample of the last 5,000
  (every tenth on another range of 5,000), and both learn on.
- *same pipeline, frozen*: neither learns on in the shadow, so that one of the two is truly better
  for good; only challengers whose expected loss, on 50,000 fresh events, is not below the
  champion's are counted.
- *coins*: the sharpest case. Losses are 0 or 1, independent, with the same mean of 0.3 for both.
- *coins, worse by the margin*: 0.31 against 0.30; a refresh that is promoted is an error here.
- *shuffled labels*: trained on 5,000 events whose labels were shuffled, and not learning on. With
  *learning on*, it learns from good labels in the shadow, and may become as good as the champion: a
  refresh that is promoted then is no error.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
from scipy import stats

from stream.lifecycle.gate import Gate, GateRules

RULES = GateRules()
PANE = 500
RATE = 0.01
FEATURES = 4
TRUTH = np.array([1.5, -1.0, 0.5, 0.0])
Array = np.ndarray[Any, np.dtype[np.float64]]


def events(rng: np.random.Generator, count: int) -> tuple[Array, Array]:
    """Return features and labels of a stationary stream."""
    x = rng.standard_normal((count, FEATURES))
    return x, (rng.random(count) < stats.logistic.cdf(x @ TRUTH)).astype(np.float64)


class Models:
    """Logistic regressions that learn one event at a time, as River's with its defaults do."""

    def __init__(self, count: int) -> None:
        self.weights = np.zeros((count, FEATURES))
        self.intercepts = np.zeros(count)

    def predict(self, x: Array) -> Array:
        """Return the probability of each model for its event; x of shape (models, features)."""
        raw = np.einsum("mf,mf->m", self.weights, np.broadcast_to(x, self.weights.shape))
        return np.asarray(1.0 / (1.0 + np.exp(-(raw + self.intercepts))))

    def learn(self, x: Array, y: Array | float) -> Array:
        """Learn from an event each, and return the losses before that."""
        said = self.predict(x)
        gradient = said - y
        self.weights -= RATE * gradient[:, None] * x
        self.intercepts -= RATE * gradient
        return np.abs(gradient)

    def losses(self, x: Array, y: Array) -> Array:
        """Return losses without learning, shape (events, models)."""
        raw = x @ self.weights.T + self.intercepts
        return np.asarray(np.abs(1.0 / (1.0 + np.exp(-raw)) - y[:, None]))


def trained(rng: np.random.Generator, count: int, shuffled: bool = False) -> tuple[Models, Models]:
    """Return a champion of 20,000 events, and challengers of 5,000 of them each."""
    x, y = events(rng, 20_000)
    champion, challengers = Models(1), Models(count)
    for one, label in zip(x, y, strict=True):
        champion.learn(one[None], label)
    first = np.where(np.arange(count) % 10 == 0, rng.integers(0, 15_000, count), 15_000)
    rows = first[:, None] + rng.integers(0, 5_000, (count, 5_000))
    told = rng.permuted(y[rows], axis=1) if shuffled else y[rows]
    for at in range(rows.shape[1]):
        challengers.learn(x[rows[:, at]], told[:, at])
    return champion, challengers


def shadow(
    rng: np.random.Generator, champion: Models, challengers: Models, learn: bool
) -> tuple[Array, Array]:
    """Return the losses of both on the same fresh events, shapes (events,) and (events, models)."""
    x, y = events(rng, RULES.max_labels)
    if not learn:
        return champion.losses(x, y)[:, 0], challengers.losses(x, y)
    one, many = np.empty(len(x)), np.empty((len(x), len(challengers.intercepts)))
    for at, (row, label) in enumerate(zip(x, y, strict=True)):
        one[at] = champion.learn(row[None], label)[0]
        many[at] = challengers.learn(row[None], label)
    return one, many


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
    """Return a row for each kind of challenger."""
    rng = np.random.default_rng(seed)
    rows = []
    for kind, make in CASES.items():
        sys.stderr.write(f"placebo: {kind}\n")
        begun = time.perf_counter()
        champion, challengers = make(rng, count)
        for refresh in (False, True):
            found = [decide(champion, one, refresh) for one in challengers.T]
            rows.append(_row(kind, refresh, found) | {"seconds": 0.0})
        rows[-1]["seconds"] = rows[-2]["seconds"] = round(time.perf_counter() - begun, 1)
    return rows


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


def _learning_on(rng: np.random.Generator, count: int) -> tuple[Array, Array]:
    return shadow(rng, *trained(rng, count), learn=True)


def _frozen(rng: np.random.Generator, count: int) -> tuple[Array, Array]:
    champion, challengers = trained(rng, 3 * count)
    x, y = events(rng, 50_000)
    best = champion.losses(x, y).mean()
    sums = np.zeros(3 * count)
    for start in range(0, len(x), 1_000):
        sums += challengers.losses(x[start : start + 1_000], y[start : start + 1_000]).sum(axis=0)
    no_better = sums / len(x) >= best
    one, many = shadow(rng, champion, challengers, learn=False)
    return one, many[:, no_better][:, :count]


def _coins(worse: float) -> Any:
    def make(rng: np.random.Generator, count: int) -> tuple[Array, Array]:
        champion = (rng.random(RULES.max_labels) < 0.3).astype(np.float64)
        return champion, (rng.random((RULES.max_labels, count)) < 0.3 + worse).astype(np.float64)

    return make


def _shuffled(learn: bool) -> Any:
    def make(rng: np.random.Generator, count: int) -> tuple[Array, Array]:
        champion, challengers = trained(rng, max(50, count // 5), shuffled=True)
        return shadow(rng, champion, challengers, learn=learn)

    return make


CASES = {
    "same pipeline, learning on": _learning_on,
    "same pipeline, frozen": _frozen,
    "coins": _coins(0.0),
    "coins, worse by the margin": _coins(RULES.margin),
    "shuffled labels": _shuffled(learn=False),
    "shuffled labels, learning on": _shuffled(learn=True),
}
ERRORS = {
    ("same pipeline, learning on", False),
    ("same pipeline, frozen", False),
    ("coins", False),
    ("coins, worse by the margin", False),
    ("coins, worse by the margin", True),
    ("shuffled labels", False),
    ("shuffled labels", True),
    ("shuffled labels, learning on", False),
}
