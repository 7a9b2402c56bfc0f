"""What the tests found, described for people where somebody asks."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from monitor import statistics
from monitor.arrays import BoolArray, FloatArray, IntArray
from monitor.blame import benjamini_hochberg
from monitor.calibration import JS, TESTS, WASSERSTEIN, Calibration, centres_of
from monitor.layout import Layout, Role
from monitor.reference import Reference
from monitor.report import Blame, ColumnSkew, Status


@dataclass(frozen=True, slots=True)
class Measured:
    """The two distances of every column; shapes (..., columns, tests) and (..., columns).

    Parameters
    ----------
    distance, threshold
        In the unit of the distance; NaN and infinity where a test does not apply.
    ratio
        Distance over threshold; 0 where there are too few values.
    sizes
        Values that each test has.
    sufficient
        Whether these are enough.
    """

    distance: FloatArray
    threshold: FloatArray
    ratio: FloatArray
    sizes: FloatArray
    sufficient: BoolArray

    @property
    def alarms(self) -> BoolArray:
        """Columns in alarm, shape (..., columns)."""
        return np.asarray((self.ratio >= 1.0).any(axis=-1))

    def of_span(self, at: int) -> Measured:
        """Take one span out of several."""
        return Measured(
            self.distance[at], self.threshold[at], self.ratio[at], self.sizes[at],
            self.sufficient[at],
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Known:
    """The reference's side of the statistics; shapes (columns, cells) and (columns,).

    Parameters
    ----------
    counts, shares
        The missing cell first, then own cells.
    own
        Shares among the own cells.
    gaps
        Between the centres of the own cells.
    deviation
        Of the values; NaN where they do not deviate.
    """

    counts: FloatArray
    shares: FloatArray
    own: FloatArray
    gaps: FloatArray
    deviation: FloatArray

    @classmethod
    def of(cls, reference: Reference) -> Known:
        """Take it from a reference."""
        counts = reference.layout.padded(reference.total.counts)
        own, centres = statistics.shares(counts[:, 1:]), centres_of(reference)
        deviation = statistics.deviation(own, centres)
        return cls(
            counts=counts,
            shares=statistics.shares(counts),
            own=own,
            gaps=np.diff(centres, axis=-1),
            deviation=np.where(deviation > 0, deviation, np.nan),
        )


@dataclass(frozen=True, slots=True)
class SkewFindings:
    """What was found over several spans.

    Parameters
    ----------
    layout, known, calibration
        Of the reference.
    spans
        Lengths in panes.
    counts
        Of the spans, shape (spans, cells).
    inflation
        Factors of the critical values, shape (spans, columns, tests).
    measured
        The distances, of shape (spans, columns, tests).
    """

    layout: Layout
    known: Known
    calibration: Calibration
    spans: tuple[int, ...]
    counts: IntArray
    inflation: FloatArray
    measured: Measured
    _ratios: list[float] = field(init=False)

    def __post_init__(self) -> None:
        ratios = self.measured.ratio.max(axis=(0, 2), initial=0.0).tolist()
        object.__setattr__(self, "_ratios", ratios)

    def ratio(self, role: Role) -> float:
        """Give the largest distance over threshold of the columns with a role; 0 for none."""
        return max((self._ratios[at] for at in self.layout.of_role[role]), default=0.0)

    def ratios(self) -> dict[tuple[Role, str], float]:
        """Give the largest distance over threshold of the columns that have enough values."""
        enough = np.asarray(self.measured.sufficient.any(axis=0)).tolist()
        named = zip(self.layout.columns, self._ratios, enough, strict=True)
        return {(column.role, column.name): ratio for column, ratio, good in named if good}

    def blame(self) -> tuple[Blame, ...]:
        """Order the columns, the most suspicious first."""
        log_p = self._log_p().min(axis=(0, 2), initial=0.0)
        tests = np.maximum(self.calibration.applies.sum(axis=1) * len(self.spans), 1)
        order, q = benjamini_hochberg(np.minimum(log_p + np.log(tests), 0.0))
        # Alarms come first: without the effect floor the tiniest p-values may be of no interest.
        ratio = np.array(self._ratios)
        order = order[np.argsort(ratio[order] < 1.0, kind="stable")]
        columns = self.layout.columns
        return tuple(
            Blame(columns[at].name, columns[at].role, float(q[at]), float(ratio[at]),
                  bool(ratio[at] >= 1.0))
            for at in order.tolist()
        )  # fmt: skip

    def columns(self) -> tuple[ColumnSkew, ...]:
        """Describe every column over every span."""
        known, measured = self.known, self.measured
        current = self.layout.padded(self.counts)
        # Where there is nothing to compare, nothing differs.
        some = np.asarray(current.sum(axis=-1) > 0)
        q_all = np.where(some[..., np.newaxis], statistics.shares(current), known.shares)
        chi, chi_p = statistics.chi_square(known.counts, current)
        change, cell = statistics.l_infinity(known.shares, q_all)
        figures = {
            "missing_current": np.where(some, q_all[..., 0], 0.0),
            "js": measured.distance[..., JS],
            "psi": statistics.psi(known.shares, q_all),
            "chi_square": chi,
            "chi_square_p": chi_p,
            "l_infinity": change,
        }
        test = measured.ratio.argmax(axis=-1)
        test = np.where(measured.ratio.max(axis=-1) > 0, test, JS)
        chosen = {
            "threshold": measured.threshold,
            "ratio": measured.ratio,
            "log_p": self._log_p(),
        }
        for name, values in chosen.items():
            figures[name] = np.take_along_axis(values, test[..., np.newaxis], axis=-1)[..., 0]
        ks = statistics.ks_distance(known.own, statistics.shares(current[..., 1:]))
        result = []
        for place, span in enumerate(self.spans):
            rows = zip(*(values[place].tolist() for values in figures.values()), strict=True)
            for at, (column, row) in enumerate(zip(self.layout.columns, rows, strict=True)):
                here = place, at
                numeric = column.bins.kind == "numeric"
                numeric = numeric and bool(measured.sizes[(*here, WASSERSTEIN)] > 0)
                moved = float(measured.distance[(*here, WASSERSTEIN)])
                # Padding puts the missing cell first; in the bins it follows the own cells.
                culprit = int(cell[here]) - 1 if cell[here] else column.bins.size
                result.append(
                    ColumnSkew(
                        name=column.name,
                        role=column.role,
                        kind=column.bins.kind,
                        span=span,
                        status=_status(measured, here),
                        values_reference=int(self.calibration.sizes[at, JS]),
                        values_current=int(measured.sizes[(*here, JS)]),
                        missing_reference=float(known.shares[at, 0]),
                        wasserstein=moved if numeric and np.isfinite(moved) else None,
                        ks=float(ks[here]) if numeric else None,
                        culprit=column.bins.label(culprit),
                        test=TESTS[test[here]],
                        **dict(zip(figures, row, strict=True)),
                    )
                )
        return tuple(result)

    def _log_p(self) -> FloatArray:
        """Give the log of the chance of each distance without a change, (spans, columns, tests)."""
        measured = self.measured
        result = np.zeros(measured.ratio.shape)
        for at, distance in enumerate(measured.distance):
            sizes = measured.sizes[at]
            x = distance * self.calibration.scale(sizes) / self.inflation[at]
            log_p = self.calibration.log_p(x, sizes)
            result[at] = np.where(measured.ratio[at] > 0, log_p, 0.0)
        return result


def _status(measured: Measured, here: tuple[int, int]) -> Status:
    if not measured.sufficient[here]:
        return "INSUFFICIENT"
    return "ALARM" if measured.ratio[here].max() >= 1.0 else "OK"
