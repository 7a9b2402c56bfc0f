"""Tail probabilities of the distances when nothing has changed, at any level.

The reference's counts imply a Dirichlet distribution of the true shares, and these a multinomial
for the span. Together that is a Dirichlet-multinomial: independent negative binomial counts, given
their total. The tail of a statistic that is a sum over cells, given that total, has a double
saddlepoint approximation (Skovgaard 1987, Journal of Applied Probability 24; Butler 2007,
Saddlepoint Approximations, chapter 4), whose relative error stays small however far out, where a
Monte Carlo quantile would need 1 / level draws.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import special

from monitor.arrays import FloatArray, IntArray
from monitor.curves import between, on_grid
from monitor.statistics import LN2, js_cells

POINTS = 129
LOG_P_LEAST = -32.0
_NODES = 257
_CLASSES_MAX = 24
_Z_MAX = 8.5
_JS_TILTS = 0.5 * (1.0 - np.geomspace(0.97, 0.02, 24))


def effective_size(reference: FloatArray | float, current: FloatArray | float) -> FloatArray:
    """Give the size whose sampling error is that of two samples together: 1 / (1/N + 1/n).

    Parameters
    ----------
    reference, current
        Sizes.

    Returns
    -------
    array
        0 where one is empty.

    Examples
    --------
    >>> float(effective_size(1000.0, 1000.0))
    500.0
    """
    sizes = np.asarray(reference, dtype=np.float64), np.asarray(current, dtype=np.float64)
    return np.asarray(sizes[0] * sizes[1] / np.maximum(sizes[0] + sizes[1], 1.0))


def js_scale(reference: FloatArray | float, current: FloatArray | float) -> FloatArray:
    """Give the factor that makes a Jensen-Shannon distance a root of about chi-square.

    Parameters
    ----------
    reference, current
        Sizes of the two samples.

    Returns
    -------
    array
        sqrt(8 ln(2) / (1/N + 1/n)).

    Examples
    --------
    >>> round(float(js_scale(1000.0, 1000.0)), 2)
    52.66
    """
    return np.asarray(np.sqrt(8.0 * LN2 * effective_size(reference, current)))


class TailCurve:
    """The log of P(X >= x) of a scaled distance, on an even grid from 0.

    Parameters
    ----------
    step
        Distance of the grid's points.
    log_p
        Shape (POINTS,), not increasing.
    mean, variance
        Of X squared.
    """

    __slots__ = ("log_p", "mean", "step", "variance")

    def __init__(self, step: float, log_p: FloatArray, mean: float, variance: float) -> None:
        self.step = step
        self.log_p = log_p
        self.mean = mean
        self.variance = variance


@lru_cache(maxsize=4096)
def js_tail(reference: tuple[int, ...], size: int) -> TailCurve:
    """Give the tail of the scaled Jensen-Shannon distance of an unchanged column.

    Parameters
    ----------
    reference
        Counts of the reference, in any order; cells that it leaves empty included.
    size
        Values in the span.

    Returns
    -------
    TailCurve
        Of `js_scale(N, size)` times the distance.

    Examples
    --------
    >>> curve = js_tail((100,) * 10, 1000)
    >>> bool(curve.log_p[0] == 0.0 and curve.log_p[-1] < -25)
    True
    """
    counts = np.array(reference if len(reference) > 1 else (*reference, 0), dtype=np.float64)
    if np.count_nonzero(counts) < 3:
        return _two_cells(counts, size)
    points, mean, variance = _js_saddlepoints(counts, size)
    freedom = len(counts) - 1
    if len(points) < 3:
        x = np.sqrt(np.linspace(0.0, special.chdtri(freedom, np.exp(LOG_P_LEAST)), POINTS))
        points = np.column_stack([x, np.log(special.chdtrc(freedom, x**2 * freedom / mean))])
    grid = np.linspace(0.0, points[-1, 0], POINTS)
    log_p = between(grid, np.r_[0.0, points[:, 0]], np.r_[0.0, points[:, 1]])
    return TailCurve(float(grid[1]), log_p, mean, variance)


def _log_beta_binomial(c: FloatArray, size: int, a: float, b: float) -> FloatArray:
    ways = -np.log(size + 1) - special.betaln(size - c + 1, c + 1)
    return np.asarray(ways + special.betaln(c + a, size - c + b) - special.betaln(a, b))


def _two_cells(counts: FloatArray, size: int) -> TailCurve:
    """Enumerate the beta-binomial of the commonest cell against the rest.

    The curve lies above the steps of that distribution, as a distance may sit on a step.
    """
    total, first = counts.sum(), counts.max()
    prior = 1.0 / len(counts)
    a = first + prior
    b = total + 1.0 - a
    middle = size * a / (a + b)
    width = 60.0 + 40.0 * np.sqrt(middle * b / (a + b) * (1.0 + size / total))
    least, most = max(0, int(middle - width)), min(size, int(middle + width))
    c = np.arange(least, most + 1, dtype=np.float64)
    log_mass = _log_beta_binomial(c, size, a, b)
    q, p = c / size, first / total
    # Of the rest only one cell can have mass in the reference; what is new counts as that cell.
    t = 8.0 * LN2 * effective_size(total, size) * (js_cells(p, q) + js_cells(1.0 - p, 1.0 - q))
    order = np.argsort(t)
    x, log_tail = np.sqrt(t[order]), np.logaddexp.accumulate(log_mass[order][::-1])[::-1]
    seen = log_tail > LOG_P_LEAST
    limit = x[seen][-1] + 1e-9
    grid = np.linspace(0.0, limit * POINTS / (POINTS - 2), POINTS)
    at = np.searchsorted(x, grid - grid[1], side="left").clip(max=len(x) - 1)
    log_p = np.minimum(log_tail[at], 0.0)
    mass = np.exp(log_mass[order])
    mean = float((mass * t[order]).sum())
    return TailCurve(float(grid[1]), log_p, mean, float((mass * t[order] ** 2).sum() - mean**2))


class _Cells:
    """Cumulant generating function of (sum of the statistic, sum of the counts) over all cells."""

    def __init__(self, counts: FloatArray, size: int) -> None:
        total = counts.sum()
        mass, self.times = _classes(counts)
        alpha = mass + 1.0 / len(counts)
        ratio = size / (total + 1.0)
        mean = alpha * ratio
        spread = np.sqrt(mean * (1.0 + ratio))
        low = np.floor(np.maximum(0.0, mean - 25.0 * spread))
        high = np.ceil(mean + 25.0 * spread + 30.0 * (1.0 + ratio))
        # Wide cells are smooth, so that every step-th count stands for its neighbours.
        step = np.maximum(1.0, np.ceil((high - low) / (_NODES - 1)))
        c = low[:, None] + step[:, None] * np.arange(_NODES)
        log_mass = (
            special.gammaln(alpha[:, None] + c)
            - special.gammaln(c + 1.0)
            + c * np.log(ratio / (1.0 + ratio))
        )
        self.log_mass = log_mass - special.logsumexp(log_mass, axis=1, keepdims=True)
        scale = 8.0 * LN2 * effective_size(total, size)
        self.part = scale * js_cells((mass / total)[:, None], c / size)
        self.excess = c - mean[:, None]

    def at(self, s: float, t: float) -> tuple[float, FloatArray, FloatArray]:
        """Give K, its gradient and its Hessian at (s, t)."""
        log_w = self.log_mass + s * self.part + t * self.excess
        log_z = special.logsumexp(log_w, axis=1, keepdims=True)
        w = np.exp(log_w - log_z)
        h, d = (w * self.part).sum(axis=1), (w * self.excess).sum(axis=1)
        hh = (w * self.part**2).sum(axis=1) - h**2
        dd = (w * self.excess**2).sum(axis=1) - d**2
        hd = (w * self.part * self.excess).sum(axis=1) - h * d
        gradient = np.array([self.times @ h, self.times @ d])
        hessian = np.array([[self.times @ hh, self.times @ hd], [self.times @ hd, self.times @ dd]])
        return float(self.times @ log_z[:, 0]), gradient, hessian


def _classes(counts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Group cells of nearly the same mass: (mass, how many of them)."""
    mass, times = np.unique(counts, return_counts=True)
    if len(mass) <= _CLASSES_MAX:
        return mass, times.astype(np.float64)
    group = np.round(np.log1p(counts) / np.log(1.08))
    _, which, times = np.unique(group, return_inverse=True, return_counts=True)
    return np.bincount(which, weights=counts) / times, times.astype(np.float64)


def _js_saddlepoints(counts: FloatArray, size: int) -> tuple[FloatArray, float, float]:
    """Give points (x, log P(X >= x)) of the tail, and mean and variance of X squared."""
    cells = _Cells(counts, size)
    _, gradient, hessian = cells.at(0.0, 0.0)
    target, start = gradient[1], hessian[1, 1]
    # To know the total takes one degree of freedom: of chi-square, mean 1 and variance 2.
    mean, variance = float(gradient[0]) - 1.0, float(hessian[0, 0]) - 2.0
    points: list[tuple[float, float]] = []
    t = 0.0
    for s in _JS_TILTS:
        for _ in range(30):
            k, gradient, hessian = cells.at(s, t)
            if not hessian[1, 1] > 0.0:
                break
            move = (gradient[1] - target) / hessian[1, 1]
            if abs(move) * np.sqrt(hessian[1, 1]) < 1e-4:
                break
            t -= move
        w = np.sqrt(max(2.0 * (s * gradient[0] + t * target - k), 1e-12))
        u = s * np.sqrt(max(np.linalg.det(hessian), 0.0) / start)
        x, log_p = np.sqrt(max(gradient[0], 0.0)), _log_tail(w, u)
        if not np.isfinite(log_p) or (points and (x <= points[-1][0] or log_p >= points[-1][1])):
            break
        points.append((x, float(log_p)))
        if log_p < LOG_P_LEAST:
            break
    return np.array(points).reshape(-1, 2), max(mean, 1e-6), max(variance, 1e-6)


def _log_tail(w: FloatArray | float, u: FloatArray | float) -> FloatArray:
    """Give the log of Lugannani and Rice's tail, Q(w) + phi(w) (1/u - 1/w), for w above 0."""
    w, u = np.asarray(w), np.asarray(u)
    with np.errstate(divide="ignore", invalid="ignore"):
        mills = np.exp(special.log_ndtr(-w) + w * w / 2.0) * np.sqrt(2.0 * np.pi)
        return np.asarray(np.log(mills + 1.0 / u - 1.0 / w) - w * w / 2.0 - 0.5 * np.log(2 * np.pi))


def wasserstein_tails(
    reference: FloatArray, centres: FloatArray, sizes: IntArray
) -> tuple[float, FloatArray]:
    """Give the tails of the scaled Wasserstein distances of unchanged numeric columns.

    Far out, the distance is the difference of the means, as the difference of the CDFs then has
    one sign; the double saddlepoint of that difference has a closed form. The rest is of order
    1/z squared, and 1 + 1/z squared fits it.

    Parameters
    ----------
    reference
        Counts of the own cells, shape (columns, cells), zero-padded.
    centres
        Shape (columns, cells).
    sizes
        Values in the span, shape (columns,).

    Returns
    -------
    tuple
        Step of the grid, and log P(X >= x) of shape (columns, POINTS), for X the square root of
        `effective_size` times the distance in standard deviations of the reference.

    Examples
    --------
    >>> step, log_p = wasserstein_tails(
    ...     np.full((1, 8), 500.0), np.arange(8.0)[None], np.array([1000]))
    >>> bool(abs(np.exp(log_p[0, round(3 / step)]) - 0.0027 * (1 + 1 / 9)) < 3e-4)
    True
    """
    grid = np.linspace(0.0, _Z_MAX, POINTS)
    total = reference.sum(axis=1, keepdims=True)
    share = reference / total
    x = centres - (share * centres).sum(axis=1, keepdims=True)
    x /= np.sqrt((share * x**2).sum(axis=1, keepdims=True))
    cells = np.maximum((reference > 0).sum(axis=1, keepdims=True), 1)
    alpha = reference + (reference > 0) / cells
    sides = np.stack([_mean_tail(alpha, sign * x, sizes, grid) for sign in (1.0, -1.0)])
    with np.errstate(divide="ignore"):
        more = np.log1p(1.0 / grid**2)
    return float(grid[1]), np.minimum(np.logaddexp(sides[0], sides[1]) + more, 0.0)


def _mean_tail(alpha: FloatArray, x: FloatArray, sizes: IntArray, grid: FloatArray) -> FloatArray:
    """Give log P(scaled mean difference >= z) on the grid; shape (columns, POINTS)."""
    total = alpha.sum(axis=1)
    n = sizes.astype(np.float64)
    x = x - (alpha * x).sum(axis=1, keepdims=True) / total[:, None]
    scale = np.sqrt(effective_size(total, n)) / n
    ratio = (n / total)[:, None, None]
    s = np.geomspace(0.4, 14.0, 12)[None, :] * scale[:, None]
    a, y = alpha[:, None, :], s[:, :, None] * x[:, None, :]
    highest = np.where(a > 0, y, -np.inf).max(axis=2)
    limit = np.log((1.0 + ratio[:, :, 0]) / ratio[:, :, 0]) - highest
    t = np.minimum(0.0, limit - 1e-3)
    for _ in range(12):
        g = _odds(y, t, ratio)
        sum_g, sum_gg = (a * g).sum(axis=2), (a * g * (1.0 + g)).sum(axis=2)
        moved = np.minimum(t - (sum_g - n[:, None]) / sum_gg, (t + limit) / 2.0)
        settled = np.abs(moved - t).max() < 1e-9
        t = moved
        if settled:
            break
    g = _odds(y, t, ratio)
    xx = x[:, None, :]
    weight = a * g * (1.0 + g)
    ktt, kst, kss = (weight.sum(axis=2), (weight * xx).sum(axis=2), (weight * xx * xx).sum(axis=2))
    mean = (a * g * xx).sum(axis=2)
    with np.errstate(invalid="ignore", divide="ignore"):
        k = (a * np.log1p(g)).sum(axis=2) - total[:, None] * np.log1p(ratio[:, :, 0])
        w = np.sqrt(2.0 * (s * mean + t * n[:, None] - k))
        start = total * ratio[:, 0, 0] * (1.0 + ratio[:, 0, 0])
        u = s * np.sqrt((kss * ktt - kst**2) / start[:, None])
    return on_grid(mean * scale[:, None], _log_tail(w, u), grid)


def _odds(y: FloatArray, t: FloatArray, ratio: FloatArray) -> FloatArray:
    tilted = np.exp(np.minimum(y + t[:, :, None], 700.0)) * ratio
    return np.asarray(tilted / np.maximum(1.0 + ratio - tilted, 1e-12))
