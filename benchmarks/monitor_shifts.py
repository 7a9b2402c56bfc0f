"""The changes whose detection is measured: nine shifts, each abrupt, gradual and recurring."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.monitor_streams import PANE, REFERENCE, Matrix, Rng, Stream

CALM = 16  # panes before the change, so that the longest span is full when it comes
AFTER = 32  # panes in which it may be found
RAMP = 16  # panes a gradual change takes
EPISODE = 4  # panes a recurring one is on, and then off
SHARES = np.array([0.28, 0.20, 0.15, 0.10, 0.08, 0.06, 0.05, 0.04, 0.03, 0.01])
MISSING = 0.02
PATTERNS = ("abrupt", "gradual", "recurring")


@dataclass(frozen=True, slots=True)
class Shape:
    """The law of one event: five columns, of which the shifts change one at a time."""

    mean: float = 0.0
    scale: float = 1.0
    share: float = 0.10
    missing: float = MISSING
    correlation: float = 0.0

    def draw(self, rng: Rng, rows: int) -> Matrix:
        """Return rows: two normals that may be correlated, one with gaps, a t, a category."""
        first, gaps, second = rng.standard_normal((3, rows))
        root = np.sqrt(1 - self.correlation**2)
        second = self.correlation * first + root * second
        gaps[rng.random(rows) < self.missing] = np.nan
        heavy = rng.standard_t(3, rows)
        shares = SHARES * (1 - self.share) / (1 - SHARES[3])
        shares[3] = self.share
        category = rng.choice(len(SHARES), rows, p=shares).astype(float)
        return np.stack([self.mean + self.scale * first, gaps, second, heavy, category], axis=1)


SHIFTS: dict[str, Shape] = {
    "mean + 0.1 sigma": Shape(mean=0.1),
    "mean + 0.25 sigma": Shape(mean=0.25),
    "mean + 0.5 sigma": Shape(mean=0.5),
    "scale x 1.25": Shape(scale=1.25),
    "a category from 10 to 15 %": Shape(share=0.15),
    "a category from 10 to 20 %": Shape(share=0.20),
    "missing from 2 to 5 %": Shape(missing=0.05),
    "missing from 2 to 10 %": Shape(missing=0.10),
    "correlation only, 0 to 0.7": Shape(correlation=0.7),
}
_WEIGHTS: dict[str, Callable[[Matrix], Matrix]] = {
    "abrupt": np.ones_like,
    "gradual": lambda pane: np.clip((pane + 1) / RAMP, 0, 1),
    "recurring": lambda pane: (np.floor(pane) % (2 * EPISODE) < EPISODE).astype(float),
}


def shifted(shift: str, pattern: str, seed: int) -> Stream:
    """Return a reference, calm panes, and panes in which events come from the other law.

    Parameters
    ----------
    shift, pattern
        In `SHIFTS` and `PATTERNS`. While a change is gradual, an event comes from the other law
        with a chance that grows; nothing is in between.
    seed
        Of the draws.
    """
    rng = np.random.default_rng(seed)
    before, after = Shape(), SHIFTS[shift]
    rows = AFTER * PANE
    old, new = before.draw(rng, rows), after.draw(rng, rows)
    weight = _WEIGHTS[pattern](np.arange(rows) / PANE)
    mixed = np.where((rng.random(rows) < weight)[:, np.newaxis], new, old)
    calm = before.draw(rng, CALM * PANE)
    return Stream(before.draw(rng, REFERENCE), np.concatenate([calm, mixed]), categorical=(4,))
