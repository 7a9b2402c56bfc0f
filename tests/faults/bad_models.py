"""Models that go wrong at some events, for ``model.factory``."""

from __future__ import annotations

import math
import re
import sys
import time
from typing import Any

from tests.faults.ledger import Ledger


class Moody(Ledger):
    """A ledger that does at some events what its ``mood`` says.

    The feature ``n`` tells at which: whole multiples of 50 when it predicts, and those and 25 when
    it learns. An event without ``n`` goes well.
    """

    def __init__(self, mood: str = "", only_in_training: bool = False) -> None:
        super().__init__()
        self.mood = mood
        self.only_in_training = only_in_training
        self.eaten: list[bytearray] = []

    def predict_proba_one(self, x: dict[str, Any]) -> Any:
        said = super().predict_proba_one(x)
        return self._moody("predict", said) if x.get("n", 1) % 50 == 0 else said

    def learn_one(self, x: dict[str, Any], y: Any) -> None:
        if x.get("n", 1) % 50 == 25:
            self._moody("learn", None)
        super().learn_one(x, y)

    def _moody(self, stage: str, said: Any) -> Any:
        if self.mood == "raises":
            raise ValueError(f"no {stage} today")
        if stage == "predict":
            return {"none": None, "empty": {}, "nan": {True: math.nan, False: math.nan}}.get(
                self.mood, said
            )
        if self.only_in_training and not _is_training():
            return said
        if self.mood == "never lets go":
            re.match(r"(a+)+$", "a" * 100 + "b")
        if self.mood == "never ends":
            while True:
                time.sleep(0.01)
        if self.mood == "eats":
            while True:
                self.eaten.append(bytearray(b"x" * (4 << 20)))
                time.sleep(0.01)
        return said


def _is_training() -> bool:
    return sys.argv[0].endswith("training.py")


def raises() -> Moody:
    """Raise ValueError."""
    return Moody("raises")


def none() -> Moody:
    """Say nothing at all."""
    return Moody("none")


def empty() -> Moody:
    """Say an empty answer, as River does before it has learned."""
    return Moody("empty")


def nan() -> Moody:
    """Say that the probability is not a number."""
    return Moody("nan")


def never_ends() -> Moody:
    """Go on for ever at the first event that it learns from."""
    return Moody("never ends")


def eats() -> Moody:
    """Take more and more memory."""
    return Moody("eats")


def trains_for_ever() -> Moody:
    """Go on for ever at the first event that a challenger is trained on; else do well."""
    return Moody("never ends", only_in_training=True)


def trains_and_holds_on() -> Moody:
    """Do so where no other thread of the process ever runs again."""
    return Moody("never lets go", only_in_training=True)


def trains_and_eats() -> Moody:
    """Take more and more memory while a challenger is trained; else do well."""
    return Moody("eats", only_in_training=True)


def well() -> Moody:
    """Do as it should: what a person mends the others into."""
    return Moody()
