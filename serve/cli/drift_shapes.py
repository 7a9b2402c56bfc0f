"""Two distributions of one column on the same few bins, for drawing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from monitor.arrays import FloatArray, IntArray
from monitor.bins import Bins, NumericBins

WIDTH = 20
_CELLS_MAX = 24


def shapes(bins: Bins, reference: IntArray, current: IntArray) -> tuple[list[float], list[float]]:
    """Give the shares of both in a few bins; missing values are left out.

    Parameters
    ----------
    bins
        Of the column.
    reference, current
        Counts, shape (bins.size + 2,).

    Returns
    -------
    tuple of list
        Equally long. Few cells are drawn one by one, in the order of the values or, for
        categories, of their shares in the reference; of many categories the last bin holds the
        rest. Numbers of many values are drawn in bins of equal width, as those of equal mass
        would make every reference flat.

    Examples
    --------
    >>> from monitor.bins import CategoricalBins
    >>> shapes(CategoricalBins(("a", "b")), np.array([3, 1, 0, 0, 5, 0]),
    ...        np.array([1, 1, 0, 2, 0, 0]))
    ([0.75, 0.25, 0.0], [0.25, 0.25, 0.5])
    """
    both = np.stack([reference, current])[:, : bins.size].astype(np.float64)
    shares = both / np.maximum(both.sum(axis=1, keepdims=True), 1.0)
    used = shares[:, shares.any(axis=0)]
    if used.shape[1] > _CELLS_MAX:
        used = _evenly(bins, shares) if isinstance(bins, NumericBins) else _first(used)
    first, second = used.tolist()
    return first, second


def _first(shares: FloatArray) -> FloatArray:
    rest = shares[:, WIDTH - 1 :].sum(axis=1, keepdims=True)
    return np.concatenate([shares[:, : WIDTH - 1], rest], axis=1)


def _evenly(bins: NumericBins, shares: FloatArray) -> FloatArray:
    """Move the mass of bins to others of equal width; within a bin it lies evenly."""
    edges = _closed(bins.edges, bins.centres)
    with np.errstate(over="ignore", invalid="ignore"):
        wanted = np.linspace(edges[0], edges[-1], WIDTH + 1)
    if not np.isfinite(wanted).all():
        return _first(shares)
    below = np.concatenate([np.zeros((2, 1)), np.cumsum(shares, axis=1)], axis=1)
    return np.stack([np.diff(np.interp(wanted, edges, line)) for line in below])


def _closed(edges: Sequence[float], centres: Sequence[float]) -> FloatArray:
    """Close the outer bins: as far beyond their centres as these lie from the inner edge."""
    low, high = 2 * centres[0] - edges[0], 2 * centres[-1] - edges[-1]
    return np.array([min(low, edges[0]), *edges, max(high, edges[-1])])
