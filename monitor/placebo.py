"""The achieved rate of false alarms: the detector run over panes in which nothing changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from monitor.arrays import IntArray
from monitor.config import SkewConfig
from monitor.errors import StateError
from monitor.reference import Reference
from monitor.skew import SkewTest

PANES_LEAST = 4
Resample = Literal["panes", "events"]


@dataclass(frozen=True, slots=True)
class PlaceboResult:
    """What `placebo` found.

    Parameters
    ----------
    resample
        What was drawn: whole panes, or single events.
    panes, alarms
        Panes that were tested, and those with an alarm.
    rate
        Alarms per pane.
    low, high
        Exact 95 % interval of the rate (Clopper and Pearson 1934, Biometrika 26).
    target
        The budget.
    by_column
        Panes in alarm, by the column's name; columns without any are left out.
    """

    resample: Resample
    panes: int
    alarms: int
    rate: float
    low: float
    high: float
    target: float
    by_column: tuple[tuple[str, int], ...]


def placebo(
    reference: Reference,
    config: SkewConfig | None = None,
    *,
    resample: Resample = "panes",
    panes: int = 2000,
    seed: int = 0,
) -> PlaceboResult:
    """Measure how often the detector cries wolf.

    Parameters
    ----------
    reference
        With at least four panes.
    config
        Budget, floors, spans.
    resample
        `"panes"` draws whole panes of one half of the reference, with replacement, and holds them
        against the other half. It keeps what autocorrelation there is within a pane, but a rare
        alarm needs many panes to be seen. `"events"` draws each pane's counts from the shares that
        the reference implies, column by column; that is the rate on independent events.
    panes
        How many to test, after a run-in of the longest span.
    seed
        Of the draws.

    Returns
    -------
    PlaceboResult
        The rate beside its target.

    Raises
    ------
    StateError
        The reference has too few panes.

    Examples
    --------
    >>> import numpy as np
    >>> from monitor.bins import NumericBins
    >>> from monitor.layout import ColumnLayout, Layout
    >>> from monitor.panes import Pane
    >>> bins = NumericBins((1.0, 2.0, 3.0), (0.5, 1.5, 2.5, 3.5))
    >>> layout = Layout((ColumnLayout("x", "feature", bins),))
    >>> pane = Pane(layout.fingerprint, 1000, counts=np.array([250, 250, 250, 250, 0, 0]))
    >>> placebo(Reference.of_panes(layout, [pane] * 8), panes=100).alarms
    0
    """
    config = config or SkewConfig()
    if len(reference.panes) < PANES_LEAST:
        raise StateError(
            f"{len(reference.panes)} reference panes", "placebo", f"at least {PANES_LEAST} needed"
        )
    rng = np.random.default_rng(seed)
    pool = reference.panes
    if resample == "panes":
        reference = Reference.of_panes(reference.layout, pool[::2])
        pool = pool[1::2]
    pool_counts = np.stack([pane.counts for pane in pool])
    test = SkewTest(reference, config)
    longest = config.spans[-1]
    window: list[IntArray] = []
    alarms, by_column = 0, np.zeros(len(reference.layout.columns), dtype=np.int64)
    for at in range(panes + longest - 1):
        drawn = (
            pool_counts[rng.integers(len(pool_counts))]
            if resample == "panes"
            else _draw(reference, rng)
        )
        window = [*window, drawn][-longest:]
        if at < longest - 1:
            continue
        found = np.zeros(len(by_column), dtype=bool)
        for span in config.spans:
            found |= test.measure(np.sum(window[-span:], axis=0), span).alarms
        alarms += bool(found.any())
        by_column += found
    from scipy import stats  # slow to import

    low, high = stats.binomtest(alarms, panes).proportion_ci(0.95)
    named = zip(reference.layout.columns, by_column.tolist(), strict=True)
    return PlaceboResult(
        resample=resample,
        panes=panes,
        alarms=alarms,
        rate=alarms / panes,
        low=float(low),
        high=float(high),
        target=config.budget,
        by_column=tuple((column.name, count) for column, count in named if count),
    )


def _draw(reference: Reference, rng: np.random.Generator) -> IntArray:
    counts = np.zeros(reference.layout.cells, dtype=np.int64)
    for at in range(len(reference.layout.columns)):
        start, stop = reference.layout.offsets[at], reference.layout.offsets[at + 1]
        of_column = reference.total.counts[start:stop]
        total = int(of_column.sum())
        if total:
            # The Dirichlet draw makes the true shares as uncertain as the reference leaves them.
            mass = rng.standard_gamma(of_column)
            size = round(total * reference.pane_events / max(reference.total.events, 1))
            counts[start:stop] = rng.multinomial(size, mass / mass.sum())
    return counts
