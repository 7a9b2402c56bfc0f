"""Distances between two binned distributions, for any number of columns at once.

All functions work on the last axis and broadcast over the others; zero-padded cells add nothing.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from monitor.arrays import FloatArray, IntArray

LN2 = float(np.log(2.0))
PSI_SHARE_MIN = 1e-4


def shares(counts: FloatArray | IntArray) -> FloatArray:
    """Turn counts into shares.

    Parameters
    ----------
    counts
        Shape (..., cells).

    Returns
    -------
    array
        Same shape; all zero where there is nothing to share.

    Examples
    --------
    >>> shares(np.array([1, 3])).tolist()
    [0.25, 0.75]
    """
    totals = counts.sum(axis=-1, keepdims=True)
    return np.asarray(counts / np.maximum(totals, 1.0), dtype=np.float64)


def ks_distance(p: FloatArray, q: FloatArray) -> FloatArray:
    """Kolmogorov-Smirnov distance of the binned CDFs.

    Parameters
    ----------
    p, q
        Shares in the order of the values, shape (..., cells).

    Returns
    -------
    array
        Largest difference of the cumulative shares, in [0, 1]; shape (...).

    Examples
    --------
    >>> float(ks_distance(np.array([0.5, 0.5]), np.array([0.25, 0.75])))
    0.25
    """
    return np.asarray(np.abs(np.cumsum(q - p, axis=-1)).max(axis=-1, initial=0.0))


def wasserstein(p: FloatArray, q: FloatArray, centres: FloatArray) -> FloatArray:
    """Wasserstein-1 distance of two distributions on the same points.

    The integral of the absolute difference of the CDFs (Vallender 1974, Theory of Probability
    and its Applications 18(4)).

    Parameters
    ----------
    p, q
        Shares in the order of the values, shape (..., cells).
    centres
        The points, not decreasing, shape (..., cells).

    Returns
    -------
    array
        In the unit of the centres; shape (...).

    Examples
    --------
    >>> float(wasserstein(np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.array([2.0, 5.0])))
    3.0
    """
    return transport(p, q, np.diff(centres, axis=-1))


def transport(p: FloatArray, q: FloatArray, gaps: FloatArray) -> FloatArray:
    """Wasserstein-1 distance of two distributions on points that lie so far apart.

    Parameters
    ----------
    p, q
        Shares in the order of the values, shape (..., cells).
    gaps
        Between the points, not negative, shape (..., cells - 1).

    Returns
    -------
    array
        In the unit of the gaps; shape (...).

    Examples
    --------
    >>> float(transport(np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.array([3.0])))
    3.0
    """
    return np.asarray((np.abs(np.cumsum(q - p, axis=-1))[..., :-1] * gaps).sum(axis=-1))


def deviation(p: FloatArray, centres: FloatArray) -> FloatArray:
    """Give the standard deviation of a binned distribution, winsorised by its outer cells.

    Parameters
    ----------
    p
        Shares, shape (..., cells).
    centres
        The points, shape (..., cells).

    Returns
    -------
    array
        Shape (...).

    Examples
    --------
    >>> float(deviation(np.array([0.5, 0.5]), np.array([0.0, 2.0])))
    1.0
    """
    mean = (p * centres).sum(axis=-1, keepdims=True)
    return np.asarray(np.sqrt((p * (centres - mean) ** 2).sum(axis=-1)))


def js_distance(p: FloatArray, q: FloatArray) -> FloatArray:
    """Jensen-Shannon distance, base 2: the square root of the divergence.

    Endres and Schindelin 2003, IEEE Transactions on Information Theory 49(7).

    Parameters
    ----------
    p, q
        Shares, shape (..., cells).

    Returns
    -------
    array
        In [0, 1]; shape (...).

    Examples
    --------
    >>> float(js_distance(np.array([1.0, 0.0]), np.array([0.0, 1.0])))
    1.0
    """
    return np.asarray(np.sqrt(js_cells(p, q).sum(axis=-1).clip(0.0, 1.0)))


def js_cells(p: FloatArray, q: FloatArray) -> FloatArray:
    """Give the part of each cell in the Jensen-Shannon divergence, base 2.

    Parameters
    ----------
    p, q
        Shares, shape (..., cells).

    Returns
    -------
    array
        Shape (..., cells); never negative.

    Examples
    --------
    >>> js_cells(np.array([1.0, 0.0]), np.array([0.0, 1.0])).tolist()
    [0.5, 0.5]
    """
    middle = (p + q) / 2.0
    return np.asarray((special.rel_entr(p, middle) + special.rel_entr(q, middle)) / (2.0 * LN2))


def psi(p: FloatArray, q: FloatArray) -> FloatArray:
    """Give the population stability index, with empty cells raised to a share of 0.0001.

    The symmetrised Kullback-Leibler divergence (Jeffreys 1946), in nats.

    Parameters
    ----------
    p, q
        Shares, shape (..., cells). Cells that are empty in both add nothing.

    Returns
    -------
    array
        Not negative; shape (...).

    Examples
    --------
    >>> round(float(psi(np.array([0.5, 0.5]), np.array([0.25, 0.75]))), 4)
    0.2747
    """
    raised_p, raised_q = np.maximum(p, PSI_SHARE_MIN), np.maximum(q, PSI_SHARE_MIN)
    return np.asarray(((raised_q - raised_p) * np.log(raised_q / raised_p)).sum(axis=-1))


def chi_square(reference: FloatArray, current: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Pearson's two-sample chi-square statistic, and its asymptotic p-value.

    Parameters
    ----------
    reference, current
        Counts, shape (..., cells).

    Returns
    -------
    tuple of array
        Statistic and p-value, shape (...). Cells that are empty in both are no cells; with fewer
        than two cells, or an empty side, the statistic is 0 and the p-value 1.

    Examples
    --------
    >>> value, p = chi_square(np.array([10.0, 20.0]), np.array([20.0, 10.0]))
    >>> round(float(value), 4), round(float(p), 4)
    (6.6667, 0.0098)
    """
    together = reference + current
    n, m = reference.sum(axis=-1), current.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = np.sqrt(m / n)[..., None] * reference - np.sqrt(n / m)[..., None] * current
        cells = np.where(together > 0, scaled**2 / together, 0.0)
    value = np.where((n > 0) & (m > 0), cells.sum(axis=-1), 0.0)
    freedom = (together > 0).sum(axis=-1) - 1
    p = np.where(freedom > 0, special.chdtrc(np.maximum(freedom, 1), value), 1.0)
    return np.asarray(value), np.asarray(p)


def l_infinity(p: FloatArray, q: FloatArray) -> tuple[FloatArray, IntArray]:
    """Largest change of a cell's share, and the cell that causes it.

    Parameters
    ----------
    p, q
        Shares, shape (..., cells).

    Returns
    -------
    tuple of array
        Change in [0, 1] and position of the cell; shape (...).

    Examples
    --------
    >>> change, cell = l_infinity(np.array([0.5, 0.5, 0.0]), np.array([0.5, 0.25, 0.25]))
    >>> float(change), int(cell)
    (0.25, 1)
    """
    change = np.abs(q - p)
    return np.asarray(change.max(axis=-1)), np.asarray(change.argmax(axis=-1))
