"""One column over time: its distances from a reference, pane by pane."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from monitor.calibration import JS, TESTS, WASSERSTEIN
from monitor.layout import Layout
from monitor.panes import Pane
from monitor.reference import Reference
from monitor.skew import SkewTest


@dataclass(frozen=True, slots=True)
class ColumnPane:
    """A column in one pane, tested alone.

    Parameters
    ----------
    values
        Usable values, missing ones included.
    missing, unusable
        Shares: of these values; of all values.
    wasserstein, js
        Distances from the reference; the first is None where it is not defined.
    test, threshold, ratio
        The test nearest to its threshold, that threshold, and distance over threshold; None where
        there are too few values.
    """

    values: int
    missing: float
    unusable: float
    wasserstein: float | None
    js: float
    test: str | None
    threshold: float | None
    ratio: float | None


class ColumnTest:
    """Tests one column of panes against its reference, at the level that all columns leave it.

    Parameters
    ----------
    whole
        The test of all columns.
    at
        Position of the column in the layout.

    Examples
    --------
    >>> import numpy as np
    >>> from monitor.bins import CategoricalBins
    >>> from monitor.layout import ColumnLayout
    >>> layout = Layout((ColumnLayout("c", "feature", CategoricalBins(("a", "b", "c"))),))
    >>> def pane(a, b, c):
    ...     return Pane(layout.fingerprint, a + b + c, counts=np.array([a, b, c, 0, 0, 0, 0]))
    >>> reference = Reference.of_panes(layout, [pane(500, 400, 100)] * 4)
    >>> test = ColumnTest(SkewTest(reference), 0)
    >>> found = test.pane(pane(100, 400, 500))
    >>> found.test, found.ratio > 1, found.missing
    ('js', True, 0.0)
    """

    def __init__(self, whole: SkewTest, at: int) -> None:
        reference, layout = whole.reference, whole.reference.layout
        self._start, self._stop = int(layout.offsets[at]), int(layout.offsets[at + 1])
        own = Layout((layout.columns[at],))
        alone = Reference(
            own,
            self._cut(reference.total, own),
            tuple(self._cut(pane, own) for pane in reference.panes),
        )
        self._test = SkewTest(alone, whole.config, spans=whole.spans)
        self._test.level = whole.level
        self._span = min(whole.spans)

    def pane(self, pane: Pane) -> ColumnPane:
        """Test a pane alone.

        Parameters
        ----------
        pane
            Of the reference's layout.
        """
        counts = pane.counts[self._start : self._stop]
        measured = self._test.measure(counts, self._span)
        values, whole = int(counts[:-1].sum()), int(counts.sum())
        moved, js = float(measured.distance[0, WASSERSTEIN]), float(measured.distance[0, JS])
        usable = measured.ratio[0].max() > 0 or bool(measured.sufficient[0])
        test = int(measured.ratio[0].argmax()) if measured.ratio[0].max() > 0 else JS
        return ColumnPane(
            values=values,
            missing=int(counts[-2]) / values if values else 0.0,
            unusable=int(counts[-1]) / whole if whole else 0.0,
            wasserstein=moved if isfinite(moved) else None,
            js=js,
            test=TESTS[test] if usable else None,
            threshold=float(measured.threshold[0, test]) if usable else None,
            ratio=float(measured.ratio[0].max()) if usable else None,
        )

    def _cut(self, pane: Pane, layout: Layout) -> Pane:
        counts = pane.counts[self._start : self._stop]
        return Pane(layout.fingerprint, pane.events, counts=counts)
