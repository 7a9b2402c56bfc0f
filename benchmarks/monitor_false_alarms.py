"""False alarms on streams in which nothing changes: what was achieved over what was budgeted.

Counts of panes are drawn from the true masses of the bins, which for independent events is the same
as, and much faster than, drawing the events. Several references are made of 10,000 events each. As
spans overlap, alarms come in episodes: the 95 % interval is that of a Poisson count of episodes,
those at least 16 panes apart. `within_1.5`: yes where the ratio is; no where its interval is wholly
outside; else open.

The tails are those of what the reference implies about the true shares. Over such true shares the
rate is the stated one; with shares that are given, as here, categories with few counts in the
reference are passed about a sixth less often.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from benchmarks.monitor_streams import (
    HEAVY_FREEDOM,
    PANE,
    POISSON_MEAN,
    REFERENCE,
    SOURCES,
    ZIPF,
    Stream,
    names,
)
from monitor import Monitor
from monitor.config import SkewConfig
from monitor.skew import SkewTest

SIZES = {5: (200, 1_000), 50: (15, 2_000), 500: (8, 2_500)}  # features: references, panes each
BUDGETS = ("1 per 1000 panes", "1 per 50 panes")
RARE = 0.001
LONGEST = 16
FACTOR = 1.5
CELLS_TOGETHER = 250_000

_CDF = {
    "normal": stats.norm.cdf,
    "heavy-tailed": stats.t(HEAVY_FREEDOM).cdf,
    "discrete": stats.poisson(POISSON_MEAN).cdf,
}


def masses(source: str, bins: Any) -> np.ndarray:
    """Return the true chance of each cell of a column, missing and unusable ones included."""
    if source == "categorical":
        share = dict(zip(names(np.arange(len(ZIPF), dtype=float)), ZIPF.tolist(), strict=True))
        named = [share[category] for category in bins.categories]
        return np.array([*named, 0.0, max(0.0, 1 - sum(named)), 0.0, 0.0])
    own = np.diff(_CDF[source](np.array(bins.edges)), prepend=0, append=1)
    return np.array([*own, 0.0, 0.0])


def drawn(rng: np.random.Generator, true: list[np.ndarray], panes: int) -> np.ndarray:
    """Return the counts of panes, shape (panes, cells)."""
    return np.concatenate([rng.multinomial(PANE, mass, size=panes) for mass in true], axis=1)


def alarms(test: SkewTest, counts: np.ndarray) -> np.ndarray:
    """Return for each pane whether a span that ends with it is in alarm; the first 15 have none."""
    sums = np.concatenate([np.zeros((1, counts.shape[1]), np.int64), counts.cumsum(axis=0)])
    found = np.zeros(len(counts) - LONGEST + 1, dtype=bool)
    together = max(1, CELLS_TOGETHER // counts.shape[1])
    for first in range(0, len(found), together):
        ends = np.arange(first, min(first + together, len(found))) + LONGEST
        for n in test.spans:
            of_panes = test.measure(sums[ends] - sums[ends - n], n).alarms
            found[ends - LONGEST] |= of_panes.any(axis=-1)
    return found


def episodes(found: np.ndarray) -> int:
    """Count alarms that are at least as far apart as the longest span."""
    count, last = 0, -LONGEST
    for at in np.flatnonzero(found).tolist():
        count += at - last >= LONGEST
        last = at
    return count


def measure(source: str, features: int, references: int, panes: int) -> dict[str, Any]:
    """Return one row: the achieved rate over each budget.

    Parameters
    ----------
    source, features
        What the columns hold, and how many there are.
    references, panes
        How many references, and panes held against each at the smallest budget; at larger ones,
        which need fewer to be seen, down to a quarter.
    """
    tallies = {budget: Tally(SkewConfig(false_alarms=budget)) for budget in BUDGETS}
    for seed in range(references):
        rng = np.random.default_rng([seed, features, list(SOURCES).index(source)])
        known = SOURCES[source](rng, (REFERENCE, features))
        categorical = tuple(range(features)) if source == "categorical" else ()
        fitted = Monitor().fit(Stream(known, known[:0], categorical).columns(known))
        reference = fitted.reference
        assert reference is not None
        true = [masses(source, column.bins) for column in reference.layout.columns]
        counts = drawn(rng, true, panes + LONGEST - 1)
        for tally in tallies.values():
            used = max(panes // 4, 20) if tally.config.budget > RARE else panes
            test = SkewTest(reference, tally.config)
            tally.add(alarms(test, counts[: used + LONGEST - 1]))
    result: dict[str, Any] = {"stream": source, "features": features}
    for budget, tally in tallies.items():
        result |= {f"{budget}: {key}": value for key, value in tally.judged().items()}
    return result


@dataclass(slots=True)
class Tally:
    """Panes with an alarm, and the verdict on their rate."""

    config: SkewConfig
    panes: int = 0
    met: int = 0
    episodes: int = 0

    def add(self, found: np.ndarray) -> None:
        """Count the panes held against one reference."""
        self.panes += len(found)
        self.met += int(found.sum())
        self.episodes += episodes(found)

    def judged(self) -> dict[str, Any]:
        """Return the ratio to the budget, its interval, and what that means."""
        budget = self.config.budget
        ratio = self.met / self.panes / budget
        low, high = 0.0, -np.log(0.025) / self.panes / budget
        if self.episodes:
            twice = 2 * self.episodes
            low, high = ratio * stats.chi2.ppf([0.025, 0.975], [twice, twice + 2]) / twice
        inside = 1 / FACTOR <= ratio <= FACTOR
        outside = high < 1 / FACTOR or low > FACTOR
        return {
            "ratio": round(ratio, 2),
            "interval": f"{low:.2f} to {high:.2f}",
            "within_1.5": "yes" if inside else "no" if outside else "open",
            "panes": self.panes,
        }


def compare(scale: float) -> list[dict[str, Any]]:
    """Return a row for each stream and number of features.

    Parameters
    ----------
    scale
        Share of the panes of a full run.
    """
    result = []
    for source in SOURCES:
        for features, (references, panes) in SIZES.items():
            sys.stderr.write(f"false alarms: {features} {source}\n")
            used = max(1, round(references * scale**0.5))
            each = max(60, round(references * panes * scale / used))
            result.append(measure(source, features, used, each))
    return result
