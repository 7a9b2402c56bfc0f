"""What one estimator has learned, as numbers that can be added up and taken away again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import msgspec

Key = tuple[str | int | float | bool | None, ...]
"""Names one number of an estimator: its kind, and a feature or a class."""
K = TypeVar("K")
V = TypeVar("V")


class Moments(msgspec.Struct, frozen=True, array_like=True):
    """How many values there were, their mean, and the sum of their squared deviations from it."""

    n: float
    mean: float
    m2: float

    def __add__(self, other: Moments) -> Moments:
        """Return the moments of both samples together.

        References
        ----------
        Chan, Golub and LeVeque (1979). Updating Formulae and a Pairwise Algorithm for Computing
        Sample Variances.
        """
        n = self.n + other.n
        if not n:
            return Moments(0, 0.0, 0.0)
        apart = other.mean - self.mean
        mean = self.mean + apart * other.n / n
        return Moments(n, mean, self.m2 + other.m2 + apart * apart * self.n * other.n / n)

    def __sub__(self, other: Moments) -> Moments:
        """Return the moments of what is left of a sample without a part of it."""
        n = self.n - other.n
        if not n:
            return Moments(0, 0.0, 0.0)
        # From the mean on, and not from the sums: what is constant stays so to the last digit, for
        # a variance of 1e-34 instead of 0 would make scalers and naive Bayes say something else.
        mean = self.mean + (self.mean - other.mean) * other.n / n
        apart = other.mean - mean
        return Moments(n, mean, self.m2 - other.m2 - apart * apart * n * other.n / self.n)


class Part(msgspec.Struct):
    """What one estimator has learned.

    Parameters
    ----------
    moments, sums
        Of samples, and counts: those of two samples add up to those of both.
    lows, highs, members
        Extremes, and values that were met: of two samples the more extreme one, and all.
    weights
        What learning has moved a linear model's weights by.
    """

    moments: dict[Key, Moments] = {}
    sums: dict[Key, float] = {}
    lows: dict[Key, float] = {}
    highs: dict[Key, float] = {}
    members: dict[Key, None] = {}
    weights: dict[Key, float] = {}

    def __add__(self, other: Part) -> Part:
        """Return what was learned from both samples, weights moved by both."""
        return Part(
            _both(self.moments, other.moments, lambda a, b: a + b),
            _both(self.sums, other.sums, lambda a, b: a + b),
            _both(self.lows, other.lows, min),
            _both(self.highs, other.highs, max),
            self.members | other.members,
            _both(self.weights, other.weights, lambda a, b: a + b),
        )

    def __sub__(self, other: Part) -> Part:
        """Return what was learned without another part of it; extremes and members stay."""
        moments = {
            key: (one - other.moments[key] if key in other.moments else one)
            for key, one in self.moments.items()
        }
        return Part(
            {key: one for key, one in moments.items() if one.n},
            {key: one - other.sums.get(key, 0) for key, one in self.sums.items()},
            self.lows,
            self.highs,
            self.members,
            {key: one - other.weights.get(key, 0.0) for key, one in self.weights.items()},
        )


class Parts(msgspec.Struct):
    """What a model has learned: a part for each estimator in it, by its place.

    Examples
    --------
    >>> one = Parts({"scaler": Part(sums={("n",): 3})})
    >>> (one + one - one).by_place["scaler"].sums
    {('n',): 3}
    """

    by_place: dict[str, Part] = {}

    def __add__(self, other: Parts) -> Parts:
        """Return what was learned from both samples."""
        return Parts(_both(self.by_place, other.by_place, lambda a, b: a + b))

    def __sub__(self, other: Parts) -> Parts:
        """Return what was learned without another part of it."""
        none = Part()
        places = self.by_place.items()
        return Parts({place: part - other.by_place.get(place, none) for place, part in places})

    def weights(self, share: float = 1.0) -> Parts:
        """Return the weights alone, so many times."""
        return Parts(
            {
                place: Part(weights={key: share * one for key, one in part.weights.items()})
                for place, part in self.by_place.items()
            }
        )

    def without_weights(self) -> Parts:
        """Return all but the weights."""
        found = self.by_place.items()
        return Parts({p: msgspec.structs.replace(part, weights={}) for p, part in found})


def total(parts: Iterable[Parts]) -> Parts:
    """Return what was learned from all samples."""
    return sum(parts, start=Parts())


def _both(one: Mapping[K, V], other: Mapping[K, V], join: Callable[[V, V], V]) -> dict[K, V]:
    found = dict(one)
    for key, value in other.items():
        found[key] = join(found[key], value) if key in found else value
    return found
