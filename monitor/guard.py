"""The guard against autocorrelation: what the reference's own panes do, no pane is blamed for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from monitor.arrays import FloatArray
from monitor.tails import effective_size

if TYPE_CHECKING:
    from monitor.skew import SkewTest

PANES_LEAST = 8
_SIGNIFICANT = 3.5
_CELLS_MAX = 200_000


@dataclass(frozen=True, eq=False)
class Guard:
    """How far thresholds are raised, by span; arrays of shape (columns, tests).

    Parameters
    ----------
    least
        Scaled distances that a threshold is never below: a high quantile over held-out parts of
        the reference as long as the span.
    inflation
        Factors of the critical values. Where held-out panes lie further from the rest than
        independent values would, by 3.5 standard errors, their squared distances' mean over the
        expected one is the variance inflation (McCullagh and Nelder 1989, Generalized Linear
        Models, section 4.5). The root of its upper 95 % limit, as of a chi-square with a degree
        of freedom for each part, is the factor; else 1.
    """

    least: Mapping[int, FloatArray]
    inflation: Mapping[int, FloatArray]

    @classmethod
    def none(cls, spans: tuple[int, ...], counts: FloatArray) -> Guard:
        """Give the guard that raises nothing, for a reference without panes."""
        shape = (len(counts), 2)
        return cls(
            {span: np.zeros(shape) for span in spans}, {span: np.ones(shape) for span in spans}
        )

    def stacked(
        self, spans: tuple[int, ...], shape: tuple[int, ...]
    ) -> tuple[FloatArray, FloatArray]:
        """Give inflation and least of some spans as arrays of shape (spans, columns, tests)."""
        if not spans:
            return np.ones(shape), np.zeros(shape)
        inflation = np.stack([self.inflation[span] for span in spans])
        return inflation, np.stack([self.least[span] for span in spans])

    @classmethod
    def of(cls, test: SkewTest, spans: tuple[int, ...]) -> Guard:
        """Measure the guard on the panes of a test's reference.

        Parameters
        ----------
        test
            Its reference must have panes.
        spans
            Lengths in panes. A span of which the reference has too few parts takes the inflation
            of the longest span that has enough.

        Returns
        -------
        Guard
            For each span.
        """
        panes = test.reference.pane_counts
        shape = test.calibration.sizes.shape
        least: dict[int, FloatArray] = {}
        inflation: dict[int, FloatArray] = {}
        latest = np.ones(shape)
        for span in spans:
            least[span] = np.zeros(shape)
            # Half of the reference must remain to hold the parts against.
            usable = span * 2 <= len(panes) and len(panes) // span >= PANES_LEAST
            if usable:
                starts = range(0, len(panes) - span + 1, span)
                parts = [panes[at : at + span].sum(axis=0) for at in starts]
                scaled, sizes = _scaled(test, parts)
                least[span] = np.quantile(
                    scaled, test.config.guard_quantile, axis=0, method="higher"
                )
                latest = np.maximum(latest, _inflation(test, scaled, sizes))
            inflation[span] = latest
        return cls(least, inflation)


def _scaled(test: SkewTest, parts: list[np.ndarray]) -> tuple[FloatArray, FloatArray]:
    """Give the scaled distances of the parts, shape (parts, columns, tests), and a usual size."""
    some = max(1, _CELLS_MAX // max(1, len(parts[0])))
    found, inside, rest = (
        np.concatenate(all_of)
        for all_of in zip(*(test.held_out(np.stack(parts[at : at + some]))
                            for at in range(0, len(parts), some)), strict=True)
    )  # fmt: skip
    unit = test.calibration.scale(inside) / np.sqrt(
        np.maximum(effective_size(test.calibration.sizes, inside), 1.0)
    )
    enough = np.minimum(inside, rest) >= test.config.min_values
    scaled = np.nan_to_num(found) * unit * np.sqrt(effective_size(rest, inside))
    return np.where(enough, scaled, 0.0), np.median(inside, axis=0)


def _inflation(test: SkewTest, scaled: FloatArray, sizes: FloatArray) -> FloatArray:
    expected, variance = test.calibration.moments(sizes)
    mean = (scaled**2).mean(axis=0)
    error = np.sqrt(variance / len(scaled))
    excessive = (mean - expected > _SIGNIFICANT * error) & test.calibration.applies
    limit = len(scaled) / special.chdtri(len(scaled), 0.95)
    return np.where(excessive, np.sqrt(limit * mean / np.maximum(expected, 1e-9)), 1.0)
