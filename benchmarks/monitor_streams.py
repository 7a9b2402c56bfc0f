"""The streams that the monitor and its peers are measured on, as matrices of floats.

A categorical column holds the numbers of its categories, so that one file serves every peer. This
file needs NumPy and SciPy only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import signal

PANE = 1_000
REFERENCE = 10_000
Rng = np.random.Generator
Matrix = np.ndarray[Any, np.dtype[np.float64]]

ZIPF = 1 / np.arange(1, 61) ** 1.1
ZIPF /= ZIPF.sum()
POISSON_MEAN = 12.0
HEAVY_FREEDOM = 1.5

SOURCES: dict[str, Callable[[Rng, tuple[int, int]], Matrix]] = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "heavy-tailed": lambda rng, shape: rng.standard_t(HEAVY_FREEDOM, shape),
    "discrete": lambda rng, shape: rng.poisson(POISSON_MEAN, shape).astype(float),
    "categorical": lambda rng, shape: rng.choice(len(ZIPF), shape, p=ZIPF).astype(float),
}
SOURCE_TEXT = (
    f"standard normal; Student t of {HEAVY_FREEDOM:g} degrees of freedom; "
    f"Poisson of mean {POISSON_MEAN:g}; {len(ZIPF)} categories of Zipf's law with exponent 1.1"
)


@dataclass(frozen=True, slots=True)
class Stream:
    """A reference and what comes after it, both of shape (rows, features).

    Parameters
    ----------
    reference, current
        Values; NaN is missing.
    categorical
        Positions of the columns that hold numbers of categories.
    """

    reference: Matrix
    current: Matrix
    categorical: tuple[int, ...] = ()

    def columns(self, part: Matrix) -> dict[str, Any]:
        """Return rows of either as the monitor takes them: arrays, and lists of strings."""
        return {
            f"x{at}": names(part[:, at]) if at in self.categorical else part[:, at]
            for at in range(part.shape[1])
        }


def names(codes: Matrix) -> list[str]:
    """Return the categories' names."""
    return [f"c{code}" for code in codes.astype(int).tolist()]


def independent(source: str, features: int, panes: int, seed: int) -> Stream:
    """Return a stream in which nothing changes and every value is independent."""
    rng = np.random.default_rng(seed)
    draw = SOURCES[source]
    return Stream(
        draw(rng, (REFERENCE, features)),
        draw(rng, (panes * PANE, features)),
        tuple(range(features)) if source == "categorical" else (),
    )


def autocorrelated(phi: float, reference: int, panes: int, seed: int, features: int = 5) -> Stream:
    """Return stationary Gaussian AR(1) columns of unit variance, in which nothing changes.

    Parameters
    ----------
    phi
        Correlation of a value with the one before it.
    reference, panes
        Rows of the reference, and panes after it.
    seed, features
        Of the draws; columns, independent of each other.
    """
    rng = np.random.default_rng(seed)
    burn_in = 2_000
    noise = rng.standard_normal((burn_in + reference + panes * PANE, features))
    values = signal.lfilter([np.sqrt(1 - phi**2)], [1, -phi], noise, axis=0)[burn_in:]
    return Stream(values[:reference], values[reference:])
