"""A model that does not depend on what it has learned: shards and one worker predict the same."""

from __future__ import annotations

from typing import Any

from river import base


class Rule(base.Classifier):
    """Says what one feature says."""

    def learn_one(self, x: dict[str, Any], y: Any) -> None:
        """Learn nothing."""

    def predict_proba_one(self, x: dict[str, Any]) -> dict[bool, float]:
        """Return a probability that grows with the feature ``a``."""
        a = x.get("a")
        share = 0.5 if not isinstance(a, float) else min(0.99, max(0.01, 0.5 + a / 6))
        return {True: share, False: 1.0 - share}


def make() -> Rule:
    """Return a new one."""
    return Rule()
