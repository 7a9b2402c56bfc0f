"""Every distance against SciPy or a closed form."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import jensenshannon

from monitor import statistics
from monitor.bins import NumericBins, fit_bins
from monitor.blame import benjamini_hochberg
from monitor.columns import Column
from monitor.schema import Feature

tables = st.integers(2, 12).flatmap(
    lambda size: st.tuples(
        *[
            st.lists(st.integers(0, 50), min_size=size, max_size=size)
            .filter(any)
            .map(lambda c: np.array(c, dtype=float))
            for _ in range(2)
        ]
    )
)


@given(tables, st.integers(0, 2**32 - 1))
@settings(max_examples=150, deadline=None)
def test_distances_agree_with_scipy(pair: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    a, b = pair
    p, q = statistics.shares(a), statistics.shares(b)
    centres = np.sort(np.random.default_rng(seed).normal(size=len(a)))
    assert statistics.js_distance(p, q) == pytest.approx(jensenshannon(p, q, base=2), abs=1e-7)
    assert statistics.wasserstein(p, q, centres) == pytest.approx(
        stats.wasserstein_distance(centres, centres, p, q), abs=1e-9
    )
    assert statistics.deviation(p, centres) == pytest.approx(
        np.sqrt(stats.rv_discrete(values=(range(len(p)), p)).expect(
            lambda k: (centres[k.astype(int)] - p @ centres) ** 2)), abs=1e-9)  # fmt: skip
    first, second = np.repeat(centres, a.astype(int)), np.repeat(centres, b.astype(int))
    assert statistics.ks_distance(p, q) == pytest.approx(
        stats.ks_2samp(first, second, method="asymp").statistic, abs=1e-12
    )
    kept = (a + b) > 0
    if kept.sum() > 1:
        expected = stats.chi2_contingency(np.stack([a[kept], b[kept]]), correction=False)
        value, p_value = statistics.chi_square(a, b)
        assert value == pytest.approx(expected.statistic)
        assert p_value == pytest.approx(expected.pvalue)
    if (p > 1e-4).all() and (q > 1e-4).all():
        kl = stats.entropy(p, q) + stats.entropy(q, p)
        assert statistics.psi(p, q) == pytest.approx(kl)
    change, cell = statistics.l_infinity(p, q)
    assert change == np.max(np.abs(p - q))
    assert abs(p - q)[cell] == change


def test_psi_of_an_emptied_cell_is_finite() -> None:
    value = statistics.psi(np.array([0.5, 0.5]), np.array([1.0, 0.0]))
    assert value == pytest.approx(0.5 * np.log(2) + (0.5 - 1e-4) * np.log(0.5 / 1e-4))


def test_shifted_normals_have_their_known_distances() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=200_000)
    bins = fit_bins(Column(values, None), Feature("x", "float"), bins=128)
    assert isinstance(bins, NumericBins)
    p = statistics.shares(bins.counts(Column(values, None))[:-2])
    q = statistics.shares(bins.counts(Column(rng.normal(0.5, size=200_000), None))[:-2])
    sd = statistics.deviation(p, np.array(bins.centres))
    moved = statistics.wasserstein(p, q, np.array(bins.centres))
    assert moved / sd == pytest.approx(0.5, abs=0.02)
    assert statistics.ks_distance(p, q) == pytest.approx(2 * stats.norm.cdf(0.25) - 1, abs=0.006)


def test_padding_changes_nothing() -> None:
    p, q = np.array([0.2, 0.8]), np.array([0.6, 0.4])
    wide = [np.r_[x, 0.0, 0.0] for x in (p, q)]
    for distance in (statistics.js_distance, statistics.ks_distance, statistics.psi):
        assert distance(p, q) == pytest.approx(distance(*wide))


def test_benjamini_hochberg_agrees_with_scipy() -> None:
    p = np.random.default_rng(0).uniform(size=50) ** 3
    order, q = benjamini_hochberg(np.log(p))
    assert q == pytest.approx(stats.false_discovery_control(p))
    assert (np.diff(p[order]) >= 0).all()
