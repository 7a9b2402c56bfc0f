"""Value skew: a column is in alarm when its change is both significant and large enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from monitor import statistics
from monitor.arrays import BoolArray, FloatArray, IntArray
from monitor.calibration import JS, Calibration, per_test_level
from monitor.config import SkewConfig
from monitor.errors import LayoutMismatchError
from monitor.findings import Known, Measured, SkewFindings
from monitor.guard import Guard
from monitor.panes import Pane
from monitor.reference import Reference
from monitor.report import SkewReport

_LEAST = 1e-300


@dataclass(frozen=True, slots=True)
class _Thresholds:
    """Thresholds of all spans, with what they follow from; shapes (spans, columns, tests)."""

    sizes: bytes
    spans: tuple[int, ...]
    guard: Guard
    inflation: FloatArray
    threshold: FloatArray
    enough: BoolArray
    sufficient: BoolArray


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
        self.budget = self.config.budget
        self.spans = self.config.spans if spans is None else spans
        self.calibration = Calibration(reference)
        self.known = Known.of(reference)
        self._floors = np.array([self.config.wasserstein_floor, self.config.js_floor])
        events = pane_events or reference.pane_events or reference.total.events
        self.level, self.tests = self._level_of(events)
        guarded = reference.pane_events > 0 and self.spans != (0,)
        self.guard = (
            Guard.of(self, self.spans) if guarded else Guard.none(self.spans, self.known.counts)
        )
        self._last: _Thresholds | None = None

    def _level_of(self, pane_events: int) -> tuple[float, int]:
        floors = []
        for span in self.spans:
            sizes = self.calibration.sizes / max(self.reference.total.events, 1)
            sizes = sizes * pane_events * max(span, 1)
            x = self._floors * self.calibration.scale(sizes)
            floors.append(self.calibration.log_p(x, sizes)[self.calibration.applies])
        log_p = np.concatenate(floors) if floors else np.zeros(0)
        return per_test_level(self.budget, log_p), len(log_p)

    def held_out(self, counts: IntArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Give the distances of parts of the reference from the rest of it.

        Parameters
        ----------
        counts
            Of the parts, shape (parts, cells).

        Returns
        -------
        tuple of array
            Distances, values in the part, values in the rest; shape (parts, columns, tests).
        """
        part = self.reference.layout.padded(counts)
        rest = np.maximum(self.known.counts - part, 0.0)
        shares, own = statistics.shares(rest), statistics.shares(rest[..., 1:])
        found, sizes = self._distances(part, shares, own)
        values = rest[..., 1:].sum(axis=-1)
        return found, sizes, np.stack([values, values + rest[..., 0]], axis=-1)

    def _distances(
        self, current: FloatArray, shares: FloatArray, own: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Give the distances from a reference's shares, and the number of values behind each."""
        values = current[..., 1:]
        sizes = np.empty((*current.shape[:-1], 2))
        values.sum(axis=-1, out=sizes[..., 0])
        np.add(sizes[..., 0], current[..., 0], out=sizes[..., 1])
        some = np.maximum(sizes, 1.0)
        distance = np.empty_like(sizes)
        with np.errstate(over="ignore"):
            moved = statistics.transport(own, values / some[..., :1], self.known.gaps)
            np.divide(moved, self.known.deviation, out=distance[..., 0])
        js = statistics.js_distance(shares, current / some[..., 1:])
        distance[..., 1] = np.where(sizes[..., 1] > 0, js, 0.0)
        return distance, sizes

    def measure(self, counts: IntArray, span: int) -> Measured:
        """Test one span.

        Parameters
        ----------
        counts
            Summed over the span, shape (cells,); or of several such spans, shape (spans, cells).
        span
            Its length in panes; one of `spans`.

        Returns
        -------
        Measured
            Distances and thresholds, of shape (columns, tests) or (spans, columns, tests).
        """
        if counts.ndim > 1:
            return self._measure(counts, (span,) * len(counts))
        return self._measure(counts[np.newaxis], (span,)).of_span(0)

    def _measure(self, counts: IntArray, spans: tuple[int, ...]) -> Measured:
        """Test spans together; shapes (spans, cells) and (spans, columns, tests)."""
        current = self.reference.layout.padded(counts)
        distance, sizes = self._distances(current, self.known.shares, self.known.own)
        limits = self._thresholds(sizes, spans)
        ratio = np.zeros_like(distance)
        usable = limits.enough & np.isfinite(distance)
        np.divide(distance, limits.threshold, out=ratio, where=usable)
        return Measured(distance, limits.threshold, ratio, sizes, limits.sufficient)

    def _thresholds(self, sizes: FloatArray, spans: tuple[int, ...]) -> _Thresholds:
        """Give the thresholds; those of the last call where nothing that matters has changed."""
        last, key = self._last, sizes.tobytes()
        if last is not None and (last.sizes, last.spans, last.guard) == (key, spans, self.guard):
            return last
        inflation, least = self.guard.stacked(spans, sizes.shape)
        scale = np.maximum(self.calibration.scale(sizes), 1e-12)
        scaled = self.calibration.critical(self.level, sizes) * inflation
        threshold = np.maximum(np.maximum(scaled, least) / scale, self._floors)
        enough = np.minimum(sizes, self.calibration.sizes) >= self.config.min_values
        self._last = _Thresholds(
            key, spans, self.guard, inflation, np.maximum(threshold, _LEAST),
            enough & self.calibration.applies, enough[..., JS],
        )  # fmt: skip
        return self._last

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
        for pane in spans.values():
            if pane.layout != fingerprint:
                raise LayoutMismatchError(fingerprint, pane.layout)
        return self.report_counts({span: pane.counts for span, pane in spans.items()})

    def report_counts(self, spans: Mapping[int, IntArray]) -> SkewReport:
        """Test spans together, as `report` does.

        Parameters
        ----------
        spans
            Counts of the reference's layout, summed over each span, by its length in panes.

        Returns
        -------
        SkewReport
            A result for every column and span.
        """
        lengths = tuple(sorted(spans))
        counts = np.zeros((len(lengths), self.reference.layout.cells), dtype=np.int64)
        for at, span in enumerate(lengths):
            counts[at] = spans[span]
        measured = self._measure(counts, lengths)
        limits = self._thresholds(measured.sizes, lengths)
        findings = SkewFindings(
            self.reference.layout, self.known, self.calibration, lengths, counts,
            limits.inflation, measured,
        )  # fmt: skip
        return SkewReport.of(findings, budget=self.budget, level=self.level, tests=self.tests)
