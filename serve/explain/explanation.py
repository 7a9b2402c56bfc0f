"""What an explanation says, and the reason where there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Explanation:
    """A prediction as a sum.

    Parameters
    ----------
    method
        ``linear``, ``tree`` or ``sampling``.
    space
        What is added up: ``log_odds``, ``probability``, ``value`` or ``score``.
    target
        The class whose probability is explained; None where it is a number.
    explained
        The prediction, in that space.
    base
        What the model says before it looks at the features.
    contributions
        By input feature. ``base``, they and ``leaf_model`` add up to ``explained``.
    leaf_model
        What the models in the leaves of trees add to the path; None without trees.
    errors
        By input feature the standard error, where it was sampled.
    samples
        Orders of features that were tried; None where nothing was sampled.
    background
        Events that stand for an absent feature; None where none were needed.
    """

    method: str
    space: str
    target: str | None
    explained: float
    base: float
    contributions: Mapping[str, float]
    leaf_model: float | None = None
    errors: Mapping[str, float] = field(default_factory=dict)
    samples: int | None = None
    background: int | None = None

    @property
    def gap(self) -> float:
        """By how much the sum misses the prediction."""
        total = self.base + sum(self.contributions.values()) + (self.leaf_model or 0.0)
        return abs(total - self.explained)

    @property
    def is_whole(self) -> bool:
        """Whether the sum is the prediction, but for rounding."""
        return self.gap <= 1e-6 * max(1.0, abs(self.explained), abs(self.base))


class CannotExplainError(Exception):
    """There is no explanation, or not by this method; the message says why."""
