"""Value skew: a column is in alarm when its change is both significant and large enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from monitor import statistics
from monitor.arrays import BoolArray, FloatArray, IntArray
from monitor.blame import benjamini_hochberg
from monitor.calibration import JS, TESTS, WASSERSTEIN, Calibration, centres_of, per_test_level
from monitor.config import SkewConfig
from monitor.errors import LayoutMismatchError
from monitor.guard import Guard
from monitor.panes import Pane
from monitor.reference import Reference
from monitor.report import Blame, ColumnSkew, SkewReport, Status


@dataclass(frozen=True, slots=True)
class Measured:
    """The two distances of every column over one span; shapes (columns, 2) and (columns,).

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
        """Columns in alarm, shape (columns,)."""
        return np.asarray((self.ratio >= 1.0).any(axis=1))


class SkewTest:
    """Tests spans of panes against a reference.

    Parameters
    ----------
    reference
        The counts to compare with.
    config
        Floors, budget, spans.
    spans
        Number of panes in each span that will be tested together; default as configured.
    pane_events
        Usual events in a pane, for the share of the budget that each span needs; default as in
        the reference.

    Examples
    --------
    >>> import numpy as np
    >>> from monitor.layout import ColumnLayout, Layout
    >>> from monitor.bins import NumericBins
    >>> bins = NumericBins((1.0, 2.0, 3.0), (0.5, 1.5, 2.5, 3.5))
    >>> layout = Layout((ColumnLayout("x", "feature", bins),))
    >>> def pane(counts):
    ...     return Pane(layout.fingerprint, sum(counts), counts=np.array([*counts, 0, 0]))
    >>> test = SkewTest(Reference.of_panes(layout, [pane([250] * 4)] * 4), spans=(1,))
    >>> test.report({1: pane([250, 250, 250, 250])}).alarms
    ()
    >>> test.report({1: pane([400, 200, 200, 200])}).alarms
    ('x',)
    """

    def __init__(
        self,
        reference: Reference,
        config: SkewConfig | None = None,
        *,
        spans: tuple[int, ...] | None = None,
        pane_events: int | None = None,
    ) -> None:
        self.reference = reference
        self.config = config or SkewConfig()
        self.spans = self.config.spans if spans is None else spans
        self.calibration = Calibration(reference)
        counts = reference.layout.padded(reference.total.counts)
        self._all = counts
        self._p_all, self._p_own = statistics.shares(counts), statistics.shares(counts[:, 1:])
        self._centres = centres_of(reference)
        self._deviation = statistics.deviation(self._p_own, self._centres)
        self._floors = np.array([self.config.wasserstein_floor, self.config.js_floor])
        events = pane_events or reference.pane_events or reference.total.events
        self.level, self.tests = self._level_of(events)
        guarded = reference.pane_events > 0 and self.spans != (0,)
        self.guard = Guard.of(self, self.spans) if guarded else Guard.none(self.spans, counts)

    def _level_of(self, pane_events: int) -> tuple[float, int]:
        floors = []
        for span in self.spans:
            sizes = self.calibration.sizes / max(self.reference.total.events, 1)
            sizes = sizes * pane_events * max(span, 1)
            x = self._floors * self.calibration.scale(sizes)
            floors.append(self.calibration.log_p(x, sizes)[self.calibration.applies])
        log_p = np.concatenate(floors) if floors else np.zeros(0)
        return per_test_level(self.config.budget, log_p), len(log_p)

    def distances(self, counts: IntArray) -> tuple[FloatArray, FloatArray]:
        """Give both distances of every column, and the number of values behind each.

        Parameters
        ----------
        counts
            Of a span, shape (cells,).

        Returns
        -------
        tuple of array
            Shape (columns, tests).
        """
        current = self.reference.layout.padded(counts)
        return self._distances(self._all, current, self._p_own, self._p_all)

    def held_out(self, counts: IntArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Give the distances of a part of the reference from the rest of it.

        Parameters
        ----------
        counts
            Of the part, shape (cells,).

        Returns
        -------
        tuple of array
            Distances, values in the part, values in the rest; shape (columns, tests).
        """
        part = self.reference.layout.padded(counts)
        rest = np.maximum(self._all - part, 0.0)
        found, sizes = self._distances(
            rest, part, statistics.shares(rest[:, 1:]), statistics.shares(rest)
        )
        own = rest[:, 1:].sum(axis=1)
        return found, sizes, np.stack([own, own + rest[:, 0]], axis=1)

    def _distances(
        self, reference: FloatArray, current: FloatArray, p_own: FloatArray, p_all: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        own = current[:, 1:].sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            moved = statistics.wasserstein(p_own, statistics.shares(current[:, 1:]), self._centres)
            moved = np.where(self._deviation > 0, moved / self._deviation, np.nan)
        some = current.any(axis=1)
        js = np.where(some, statistics.js_distance(p_all, statistics.shares(current)), 0.0)
        return np.stack([moved, js], axis=1), np.stack([own, own + current[:, 0]], axis=1)

    def measure(self, counts: IntArray, span: int) -> Measured:
        """Test one span.

        Parameters
        ----------
        counts
            Summed over the span, shape (cells,).
        span
            Its length in panes; one of `spans`.

        Returns
        -------
        Measured
            Distances and thresholds.
        """
        distance, sizes = self.distances(counts)
        scale = np.maximum(self.calibration.scale(sizes), 1e-12)
        scaled = self.calibration.critical(self.level, sizes) * self.guard.inflation[span]
        threshold = np.maximum(np.maximum(scaled, self.guard.least[span]) / scale, self._floors)
        enough = np.minimum(sizes, self.calibration.sizes) >= self.config.min_values
        usable = enough & self.calibration.applies & np.isfinite(distance)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(usable, distance / threshold, 0.0)
        return Measured(distance, threshold, np.nan_to_num(ratio), sizes, enough[:, JS])

    def report(self, spans: Mapping[int, Pane]) -> SkewReport:
        """Test spans together and describe what was found.

        Parameters
        ----------
        spans
            The panes of each span merged, by its length. Spans that are not there yet are left
            out; the level stays what it is with all of them.

        Returns
        -------
        SkewReport
            A result for every column and span, whatever the state of the column.

        Raises
        ------
        LayoutMismatchError
            A pane was counted with another layout than the reference.
        """
        fingerprint = self.reference.layout.fingerprint
        columns: list[ColumnSkew] = []
        count = len(self.reference.layout.columns)
        best_p, best_ratio = np.zeros(count), np.zeros(count)
        for span, pane in sorted(spans.items()):
            if pane.layout != fingerprint:
                raise LayoutMismatchError(fingerprint, pane.layout)
            measured = self.measure(pane.counts, span)
            inflation = self.guard.inflation[span]
            x = measured.distance * self.calibration.scale(measured.sizes) / inflation
            log_p = self.calibration.log_p(x, measured.sizes)
            log_p = np.where(measured.ratio > 0, log_p, 0.0)
            best_p = np.minimum(best_p, log_p.min(axis=1))
            best_ratio = np.maximum(best_ratio, measured.ratio.max(axis=1))
            columns += self._describe(span, pane.counts, measured, log_p)
        return SkewReport(
            columns=tuple(columns),
            blame=self._blame(best_p, best_ratio, len(spans)),
            budget=self.config.budget,
            level=self.level,
            tests=self.tests,
        )

    def _blame(self, log_p: FloatArray, ratio: FloatArray, spans: int) -> tuple[Blame, ...]:
        tests = np.maximum(self.calibration.applies.sum(axis=1) * spans, 1)
        order, q = benjamini_hochberg(np.minimum(log_p + np.log(tests), 0.0))
        # Alarms come first: without the effect floor the tiniest p-values may be of no interest.
        order = order[np.argsort(ratio[order] < 1.0, kind="stable")]
        columns = self.reference.layout.columns
        return tuple(
            Blame(columns[at].name, columns[at].role, float(q[at]), float(ratio[at]),
                  bool(ratio[at] >= 1.0))
            for at in order
        )  # fmt: skip

    def _describe(
        self, span: int, counts: IntArray, measured: Measured, log_p: FloatArray
    ) -> list[ColumnSkew]:
        current = self.reference.layout.padded(counts)
        # Where there is nothing to compare, nothing differs.
        some = np.asarray(current.sum(axis=1) > 0)
        q_all = np.where(some[:, np.newaxis], statistics.shares(current), self._p_all)
        q_own = statistics.shares(current[:, 1:])
        ks = statistics.ks_distance(self._p_own, q_own)
        psi = statistics.psi(self._p_all, q_all)
        chi, chi_p = statistics.chi_square(self._all, current)
        change, cell = statistics.l_infinity(self._p_all, q_all)
        test = measured.ratio.argmax(axis=1)
        test = np.where(measured.ratio.max(axis=1) > 0, test, JS)
        result = []
        for at, column in enumerate(self.reference.layout.columns):
            numeric = column.bins.kind == "numeric" and measured.sizes[at, WASSERSTEIN] > 0
            moved = float(measured.distance[at, WASSERSTEIN])
            chosen = int(test[at])
            # Padding puts the missing cell first, whereas in the bins it follows the own cells.
            culprit = column.bins.label(int(cell[at]) - 1 if cell[at] else column.bins.size)
            result.append(
                ColumnSkew(
                    name=column.name,
                    role=column.role,
                    kind=column.bins.kind,
                    span=span,
                    status=_status(measured, at),
                    values_reference=int(self.calibration.sizes[at, JS]),
                    values_current=int(measured.sizes[at, JS]),
                    missing_reference=float(self._p_all[at, 0]),
                    missing_current=float(q_all[at, 0]) if some[at] else 0.0,
                    wasserstein=moved if numeric and np.isfinite(moved) else None,
                    js=float(measured.distance[at, JS]),
                    ks=float(ks[at]) if numeric else None,
                    psi=float(psi[at]),
                    chi_square=float(chi[at]),
                    chi_square_p=float(chi_p[at]),
                    l_infinity=float(change[at]),
                    culprit=culprit,
                    test=TESTS[chosen],
                    threshold=float(measured.threshold[at, chosen]),
                    ratio=float(measured.ratio[at, chosen]),
                    log_p=float(log_p[at, chosen]),
                )
            )
        return result


def _status(measured: Measured, at: int) -> Status:
    if not measured.sufficient[at]:
        return "INSUFFICIENT"
    return "ALARM" if measured.ratio[at].max() >= 1.0 else "OK"
