"""A promoted model that turns bad: after how many events the former champion is back.

The probation's gate (level 0.01) is fed losses of 0 and 1: the former champion's mean is 0.2; the
new model's is 0.15 for its first good events, and from then on worse than the former one's by the
gap. The former champion is back when a pane of 500 closes on enough evidence, within the probation
of 5,000 labels. Medians of 100 models, counted from the event at which the new model turned bad.
`never` stands where most are not rolled back: the probation ends first, and it is for the monitor
to find the drift.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stream.lifecycle.gate import probation_gate
from stream.sections import RetrainSection

FORMER, GOOD = 0.2, 0.15
GAPS = (0.02, 0.05, 0.1, 0.2, 0.4)
GOOD_EVENTS = (0, 1_000, 2_500, 4_000)
PANE = 500


def compare(models: int, seed: int = 1) -> list[dict[str, Any]]:
    """Return a row for each gap, with a column for each length of the good time."""
    rng = np.random.default_rng(seed)
    rows = []
    for gap in GAPS:
        row: dict[str, Any] = {"worse by": gap}
        for good in GOOD_EVENTS:
            found = [events(rng, gap, good) for _ in range(models)]
            row[f"good for {good:,}"] = shown(found)
        rows.append(row)
    return rows


def events(rng: np.random.Generator, gap: float, good: int) -> int | None:
    """Return how many events after it turned bad a model is rolled back; None where it is not."""
    config = RetrainSection()
    size = config.probation
    mean = np.where(np.arange(size) < good, GOOD, FORMER + gap)
    new = (rng.random(size) < mean).astype(np.float64)
    former = (rng.random(size) < FORMER).astype(np.float64)
    gate = probation_gate(1.0, config.margin, size)
    for start in range(0, size, PANE):
        gate.update(new[start : start + PANE], former[start : start + PANE])
        if gate.is_better(config.level):
            return gate.labels - good
    return None


def shown(found: list[int | None]) -> str:
    """Return the median of those that came back, and their share."""
    back = [one for one in found if one is not None]
    share = len(back) / len(found)
    if share < 0.5:
        return f"never ({share:.0%} rolled back)"
    return f"{round(float(np.median(back))):,} ({share:.0%} rolled back)"
