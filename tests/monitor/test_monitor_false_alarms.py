"""The achieved rate of false alarms is the stated one, on independent streams."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from monitor.bins import fit_bins
from monitor.columns import Column
from monitor.config import SkewConfig
from monitor.layout import ColumnLayout, Layout
from monitor.reference import Reference
from monitor.schema import Feature
from monitor.skew import SkewTest

PANE = 1000
ZIPF = 1 / np.arange(1, 61) ** 1.1
NAMES = np.array([f"c{k}" for k in range(60)])
Source = Callable[[np.random.Generator, int], np.ndarray]
SOURCES: dict[str, Source] = {
    "normal": lambda rng, n: rng.standard_normal(n),
    "heavy": lambda rng, n: rng.standard_t(1.5, n),
    "discrete": lambda rng, n: rng.poisson(12, n).astype(float),
    "categorical": lambda rng, n: NAMES[rng.choice(60, n, p=ZIPF / ZIPF.sum())],
}


def column_of(source: Source, rng: np.random.Generator, n: int) -> Column:
    values = source(rng, n)
    return Column(values if values.dtype.kind == "f" else values.tolist(), None)


def alarms(name: str, features: int, budget: str, references: int, panes: int) -> tuple[int, float]:
    """Count panes with an alarm, each feature independent, over several references.

    The counts of a pane are drawn from the true masses of the bins, which for so many events is
    the same as, and much faster than, drawing the events.
    """
    kind = "string" if name == "categorical" else "float"
    found, expected = 0, 0.0
    for seed in range(references):
        rng = np.random.default_rng(seed)
        columns = {}
        layouts, true = [], []
        for k in range(features):
            column = column_of(SOURCES[name], rng, 10_000)
            bins = fit_bins(column, Feature(f"f{k}", kind))
            columns["feature", f"f{k}"] = column
            layouts.append(ColumnLayout(f"f{k}", "feature", bins))
            if kind == "string":
                index = {f"c{j}": p for j, p in enumerate(ZIPF / ZIPF.sum())}
                mass = [index[c] for c in bins.categories]  # type: ignore[attr-defined]
                true.append(np.r_[mass, 1 - sum(mass), 0, 0, 0].clip(0))
            elif name == "discrete":
                edges = np.array(bins.edges)  # type: ignore[attr-defined]
                true.append(np.r_[np.diff(np.r_[0, stats.poisson.cdf(edges, 12), 1]), 0, 0])
            else:
                cdf = stats.norm.cdf if name == "normal" else stats.t(1.5).cdf
                edges = np.array(bins.edges)  # type: ignore[attr-defined]
                true.append(np.r_[np.diff(np.r_[0, cdf(edges), 1]), 0, 0])
        reference = Reference.of_columns(Layout(tuple(layouts)), columns, PANE)
        test = SkewTest(reference, SkewConfig(false_alarms=budget))
        window: list[np.ndarray] = []
        for at in range(panes + 15):
            window.append(np.concatenate([rng.multinomial(PANE, mass) for mass in true]))
            if at >= 15:
                spans = ((n, np.sum(window[-n:], axis=0)) for n in (1, 4, 16))
                found += any(test.measure(counts, n).alarms.any() for n, counts in spans)
                expected += test.config.budget
    return found, expected


@pytest.mark.parametrize("features", [5, 50])
@pytest.mark.parametrize("name", SOURCES)
def test_achieved_rate_is_within_a_factor_of_the_budget(name: str, features: int) -> None:
    references, panes = (12, 250) if features == 5 else (6, 130)
    # For few features of few values the effect floors alone keep below 1 in 20.
    rare = (name, features) == ("discrete", 5)
    found, expected = alarms(
        name, features, "1 per 100 panes" if rare else "1 per 20 panes", references, panes
    )
    # The simulation's own error is left to it: three standard deviations of a Poisson count.
    assert expected / 1.5 - 3 * expected**0.5 <= found <= expected * 1.5 + 3 * expected**0.5


def test_many_features_at_a_small_level() -> None:
    found, expected = alarms("normal", 500, "1 per 20 panes", 1, 400)
    assert expected / 1.5 - 3 * expected**0.5 <= found <= expected * 1.5 + 3 * expected**0.5
