"""Critical values against an independent simulation, and the budget they add up to."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats
from scipy.spatial.distance import jensenshannon

from monitor.bins import NumericBins
from monitor.calibration import JS, WASSERSTEIN, Calibration, per_test_level
from monitor.curves import on_grid
from monitor.layout import ColumnLayout, Layout
from monitor.panes import Pane
from monitor.reference import Reference
from monitor.tails import POINTS, effective_size, js_scale, js_tail, wasserstein_tails

DRAWS = 120_000
ZIPF = 1 / np.arange(1, 61) ** 1.1
COUNTS = {
    "equal": np.full(32, 312),
    "zipf": np.maximum(ZIPF / ZIPF.sum() * 10_000, 1).astype(int),
    "poisson": np.round(stats.poisson.pmf(np.arange(9), 3) * 10_000).astype(int),
    "rare missing": np.r_[np.full(32, 310), 80],
    "small": np.full(8, 60),
}
CENTRES = {
    "normal": stats.norm.ppf((np.arange(32) + 0.5) / 32),
    "uniform": np.arange(32.0),
    "exponential": stats.expon.ppf((np.arange(32) + 0.5) / 32),
    "lognormal": np.exp(1.5 * stats.norm.ppf((np.arange(32) + 0.5) / 32)),
}


def draw(counts: np.ndarray, size: int, seed: int) -> np.ndarray:
    """Shares of unchanged spans: Dirichlet shares, then multinomial counts."""
    rng = np.random.default_rng(seed)
    parts = []
    for _ in range(DRAWS // 20_000):
        mass = rng.standard_gamma(counts + 1 / len(counts), size=(20_000, len(counts)))
        parts.append(rng.multinomial(size, mass / mass.sum(axis=1, keepdims=True)) / size)
    return np.concatenate(parts)


def critical(log_p: np.ndarray, step: float, level: float) -> float:
    return float(np.interp(-np.log(level), -log_p, np.arange(POINTS) * step))


def achieved_within(found: float, level: float, factor: float) -> bool:
    """Within a factor, leaving three standard errors to the simulation."""
    error = 3 * np.sqrt(level / DRAWS)
    return level / factor - error <= found <= level * factor + error


@pytest.mark.parametrize("size", [300, 1000, 16_000])
@pytest.mark.parametrize("name", COUNTS)
def test_js_critical_values_hold_in_simulation(name: str, size: int) -> None:
    counts = COUNTS[name]
    curve = js_tail(tuple(counts.tolist()), size)
    p, q = counts / counts.sum(), draw(counts, size, seed=size)
    # SciPy's distance on the few draws checks the vectorised one that follows.
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.where(q > 0, q * np.log2(q / middle), 0) + p * np.log2(p / middle)
    distance = np.sqrt(np.maximum(parts.sum(axis=1) / 2, 0))
    assert distance[:20] == pytest.approx([jensenshannon(p, some, base=2) for some in q[:20]])
    x = distance * js_scale(counts.sum(), size)
    for level in (1e-2, 1e-3, 1e-4):
        found = float(np.mean(x >= critical(curve.log_p, curve.step, level)))
        assert achieved_within(found, level, 1.35), (level, found)
    assert curve.mean == pytest.approx(float((x**2).mean()), rel=0.05)
    assert curve.variance == pytest.approx(float((x**2).var()), rel=0.12)


@pytest.mark.parametrize("name", CENTRES)
@pytest.mark.parametrize("size", [200, 1000, 16_000])
def test_wasserstein_critical_values_hold_in_simulation(name: str, size: int) -> None:
    counts, centres = np.full(32, 312), CENTRES[name]
    step, log_p = wasserstein_tails(counts[None].astype(float), centres[None], np.array([size]))
    q = draw(counts, size, seed=size + 1)
    gaps = np.abs(np.cumsum(q - 1 / 32, axis=1))[:, :-1]
    moved = gaps @ np.diff(centres) / centres.std()
    assert moved[0] == pytest.approx(
        stats.wasserstein_distance(centres, centres, None, q[0]) / centres.std()
    )
    x = moved * np.sqrt(effective_size(float(counts.sum()), size))
    for level in (1e-2, 1e-3, 1e-4):
        found = float(np.mean(x >= critical(log_p[0], step, level)))
        assert achieved_within(found, level, 1.3), (level, found)


def test_far_tails_follow_the_chi_square_and_the_normal() -> None:
    """Where no simulation reaches: large samples have known limits."""
    curve = js_tail((1_000_000,) * 33, 1_000_000)
    step, log_p = wasserstein_tails(
        np.full((1, 32), 1e6), CENTRES["uniform"][None], np.array([1_000_000])
    )
    for level in (1e-5, 1e-7, 1e-9, 1e-12):
        assert critical(curve.log_p, curve.step, level) ** 2 == pytest.approx(
            stats.chi2.isf(level, 32), rel=0.01
        )
        normal = stats.norm.isf(level / 2)
        # The distance exceeds the difference of the means, a little less so the further out.
        assert normal <= critical(log_p[0], step, level) <= normal + 0.5 / normal


@pytest.mark.parametrize(
    "counts",
    [(10_000,), (0, 500), (500, 500), (9999, 1, 0, 0), (1,) * 200, (3, 0, 0), (0, 0, 7, 1)],
)
@pytest.mark.parametrize("size", [16, 1000, 100_000, 3_000_000])
def test_any_counts_give_a_tail_that_falls(counts: tuple[int, ...], size: int) -> None:
    curve = js_tail(counts, size)
    assert np.isfinite(curve.log_p).all()
    assert curve.step > 0
    assert curve.log_p[0] <= 0
    assert (np.diff(curve.log_p) <= 1e-9).all()


def test_a_column_of_two_cells_never_exceeds_its_level() -> None:
    counts = np.array([9000, 1000])
    for size in (100, 1000):
        curve = js_tail(tuple(counts.tolist()), size)
        k = np.arange(size + 1)
        mass = stats.betabinom.pmf(k, size, 9000.5, 1000.5)
        distance = [jensenshannon([0.9, 0.1], [c / size, 1 - c / size], base=2) for c in k]
        x = np.nan_to_num(distance) * js_scale(10_000, size)
        for level in (1e-2, 1e-4, 1e-6):
            assert mass[x >= critical(curve.log_p, curve.step, level)].sum() <= level * 1.01


def reference_of(counts: np.ndarray) -> Reference:
    size = len(counts)
    bins = NumericBins(tuple(k + 0.5 for k in range(size - 1)), tuple(map(float, range(size))))
    layout = Layout((ColumnLayout("x", "feature", bins),))
    pane = Pane(layout.fingerprint, int(counts.sum()), counts=np.r_[counts, 0, 0])
    return Reference.of_panes(layout, [pane])


def test_critical_values_and_chances_are_inverse() -> None:
    calibration = Calibration(reference_of(np.full(32, 300)))
    sizes = np.full((1, 2), 1000.0)
    for level in (1e-2, 1e-5, 1e-8):
        x = calibration.critical(level, sizes)
        assert calibration.log_p(x, sizes) == pytest.approx(np.full((1, 2), np.log(level)))


def test_a_test_that_does_not_apply_is_never_significant() -> None:
    calibration = Calibration(reference_of(np.array([0, 500, 0])))
    sizes = np.full((1, 2), 1000.0)
    assert not calibration.applies[0, WASSERSTEIN]
    assert calibration.applies[0, JS]
    assert calibration.critical(0.01, sizes)[0, WASSERSTEIN] == np.inf
    assert calibration.log_p(np.full((1, 2), 50.0), sizes)[0, WASSERSTEIN] == 0.0


@pytest.mark.parametrize("budget", [1e-3, 0.05, 0.3])
def test_levels_add_up_to_the_budget(budget: float) -> None:
    rng = np.random.default_rng(0)
    sidak = 1 - (1 - budget) ** (1 / 100)
    assert per_test_level(budget, np.zeros(100)) == pytest.approx(sidak)
    floors = np.log(rng.uniform(0, 2 * sidak, size=100))
    level = per_test_level(budget, floors)
    used = 1 - np.prod(1 - np.minimum(level, np.exp(floors)))
    assert level >= sidak
    assert used <= budget * (1 + 1e-9)
    assert used == pytest.approx(budget) or level == pytest.approx(min(budget, 0.05))


def test_points_of_a_tail_that_are_not_sound_are_left_out() -> None:
    grid = np.linspace(0.0, 8.0, 50)
    z = np.array([0.5, 1.0, 2.0, 3.0])
    log_p = special.log_ndtr(-z) - 0.1 * z
    # One that is no number, which also puts out of order what comes after it, and one that lies
    # behind its neighbour.
    broken = np.insert(z, 2, 1.5), np.insert(log_p, 2, np.nan), [0, 1, 3]
    turned = np.insert(z, 2, 0.9), np.insert(log_p, 2, log_p[1] - 0.1), [0, 1, 2, 3]
    none = np.full(5, np.nan)
    for x, y, left in (broken, turned):
        found = on_grid(np.stack([x, none]), np.stack([y, none]), grid)
        assert found[0].tolist() == on_grid(z[None, left], log_p[None, left], grid)[0].tolist()
        assert found[1].tolist() == special.log_ndtr(-grid).tolist()
