"""The order of suspicion among many features."""

from __future__ import annotations

import numpy as np

from monitor.arrays import FloatArray, IntArray


def benjamini_hochberg(log_p: FloatArray) -> tuple[IntArray, FloatArray]:
    """Order p-values, and adjust them for the false discovery rate.

    Benjamini and Hochberg 1995, Journal of the Royal Statistical Society B 57(1).

    Parameters
    ----------
    log_p
        Natural logs of p-values, shape (tests,); logs keep apart what is too small for a float.

    Returns
    -------
    tuple of array
        Positions, smallest p-value first (ties in the given order); and the adjusted p-values in
        the given order.

    Examples
    --------
    >>> order, q = benjamini_hochberg(np.log([0.5, 0.01, 0.04]))
    >>> order.tolist(), q.round(3).tolist()
    ([1, 2, 0], [0.5, 0.03, 0.06])
    """
    total = len(log_p)
    order = np.argsort(log_p, kind="stable")
    scaled = np.exp(log_p[order]) * total / np.arange(1, total + 1)
    adjusted = np.empty(total)
    adjusted[order] = np.minimum.accumulate(scaled[::-1])[::-1].clip(max=1.0)
    return order, adjusted
