"""A model that keeps a ledger of what it has learned from: it travels inside the checkpoint.

Counts of learned events may agree where one event was lost and another learned twice. The ledger
cannot be fooled so: it names each event, and is compared with that of an offline replay.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from river import base, linear_model, preprocessing


class Ledger(base.Classifier):
    """A scaled logistic regression that counts how often it learned from each event.

    An event is known by its feature ``a``, which ``tests.lines.event`` draws for each number.
    """

    def __init__(self) -> None:
        self.model = preprocessing.StandardScaler() | linear_model.LogisticRegression()
        self.learned: Counter[float] = Counter()

    def learn_one(self, x: dict[str, Any], y: Any) -> None:
        self.learned[x["a"]] += 1
        self.model.learn_one(x, y)

    def predict_proba_one(self, x: dict[str, Any]) -> dict[Any, float]:
        return self.model.predict_proba_one(x)


def build() -> Ledger:
    """Return the untrained model."""
    return Ledger()


def other() -> Ledger:
    """Return the untrained model by another name: to riverrun it is another pipeline."""
    return Ledger()
