"""Log tails on an even grid, from points where they are known.

What a log tail differs by from that of a normal distribution is nearly straight, so that this is
what is interpolated.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from monitor.arrays import FloatArray


def between(grid: FloatArray, x: FloatArray, log_p: FloatArray) -> FloatArray:
    """Interpolate one log tail.

    Parameters
    ----------
    grid
        Where it is wanted, increasing.
    x, log_p
        Points of it, increasing and decreasing.

    Returns
    -------
    array
        Not above 0, not increasing; shape as the grid.

    Examples
    --------
    >>> between(np.array([0.0, 1.0]), np.array([0.0, 2.0]), np.array([0.0, -2.0])).tolist()
    [0.0, -0.5]
    """
    found = np.interp(grid, x, log_p + x * x / 2.0) - grid * grid / 2.0
    return np.asarray(np.minimum.accumulate(np.minimum(found, 0.0)))


def on_grid(z: FloatArray, log_p: FloatArray, grid: FloatArray) -> FloatArray:
    """Interpolate log tails of one side of a distribution that is about normal.

    Parameters
    ----------
    z, log_p
        Points of each tail, shape (tails, points). Those that are not finite, or not in order, are
        left out; with fewer than three the tail is the normal one.
    grid
        Where they are wanted, increasing from 0, at which each is one half.

    Returns
    -------
    array
        Shape (tails, grid); beyond the last point goes on the last slope.

    Examples
    --------
    >>> z = np.array([[1.0, 2.0, 3.0]])
    >>> grid = np.array([0.0, 1.5, 4.0])
    >>> on_grid(z, special.log_ndtr(-z), grid).round(1).tolist()
    [[-0.7, -2.7, -9.4]]
    """
    sound = np.isfinite(log_p) & np.isfinite(z) & (z > 0)
    sound[:, 1:] &= (np.diff(z) > 0) & (np.diff(log_p) < 0)
    result = np.tile(special.log_ndtr(-grid), (len(z), 1))
    whole = sound.all(axis=1)
    result[whole] = _on_grid(z[whole], log_p[whole], grid)
    for at in np.flatnonzero(~whole & (sound.sum(axis=1) >= 3)).tolist():
        some = sound[at : at + 1]
        result[at] = _on_grid(z[at : at + 1][some][None], log_p[at : at + 1][some][None], grid)[0]
    return result


def _on_grid(z: FloatArray, log_p: FloatArray, grid: FloatArray) -> FloatArray:
    """Interpolate points that are all sound."""
    z = np.insert(z, 0, 0.0, axis=1)
    log_p = np.insert(log_p, 0, np.log(0.5), axis=1)
    bent = log_p + z * z / 2.0
    slopes = np.diff(bent) / np.diff(z)
    left = (z[:, :, np.newaxis] <= grid).sum(axis=1) - 1
    inside = np.minimum(left, z.shape[1] - 2)
    x, y, slope = (np.take_along_axis(values, inside, axis=1) for values in (z, bent, slopes))
    found = slope * (grid - x) + y - grid * grid / 2.0
    found = np.minimum.accumulate(np.minimum(found, 0.0), axis=1)
    last = (log_p[:, -1:] - log_p[:, -2:-1]) / (z[:, -1:] - z[:, -2:-1])
    beyond = log_p[:, -1:] + last * np.maximum(grid - z[:, -1:], 0.0)
    return np.where(grid <= z[:, -1:], found, beyond)
