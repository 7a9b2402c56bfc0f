"""A model that counts how often it learned from each event: it travels wherever the model does.

Events are known by their feature ``n``. It imports nothing but River, so that every program of
this folder, and riverrun by ``model.factory``, can have it.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from river import base, linear_model, preprocessing


class Ledger(base.Classifier):
    """A scaled logistic regression with a ledger of what it has learned from."""

    def __init__(self) -> None:
        self.model = preprocessing.StandardScaler() | linear_model.LogisticRegression()
        self.learned: Counter[int] = Counter()

    def learn_one(self, x: dict[str, Any], y: Any) -> None:
        self.learned[x["n"]] += 1
        self.model.learn_one(x, y)

    def predict_proba_one(self, x: dict[str, Any]) -> dict[Any, float]:
        found: dict[Any, float] = self.model.predict_proba_one(x)
        return found


def build() -> Ledger:
    """Return the untrained model."""
    return Ledger()
