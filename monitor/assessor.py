"""What follows from a closed pane: the tests of the spans that end with it, and the signals."""

from __future__ import annotations

from collections import deque

from monitor.anomalies import pane_anomalies
from monitor.config import MonitorConfig
from monitor.errors import LayoutMismatchError
from monitor.machine import Machine
from monitor.observation import ClosedPane
from monitor.panes import Pane, SpanSums
from monitor.reference import Reference
from monitor.schema import Schema
from monitor.signals import Signals
from monitor.skew import SkewTest


class Assessor:
    """Keeps the last closed panes and tests each new one together with them.

    Parameters
    ----------
    config
        Spans, budget, panes kept.
    trigger
        Is asked about each pane.

    Attributes
    ----------
    labels
        Labels that came since the last pane closed: the caller counts them.
    labels_closed
        Events, and labels that came, of each pane of the longest span.

    Examples
    --------
    >>> from monitor.layout import Layout
    >>> assessor = Assessor(MonitorConfig(), Machine())
    >>> assessor.use(Reference.of_panes(Layout(()), []))
    >>> pane = Pane(Layout(()).fingerprint, events=10, errors=9, last=60.0)
    >>> closed = assessor.assess(pane, Schema(()), concept=0.0, now=60.0)
    >>> closed.index, closed.state.value, assessor.index
    (0, 'HALTED', 1)
    """

    def __init__(self, config: MonitorConfig, trigger: Machine) -> None:
        self.config = config
        self.trigger = trigger
        self.index = 0
        self.closed: deque[Pane] = deque(maxlen=config.panes.keep)
        self.reference: Reference | None = None
        self._test: SkewTest | None = None
        self._sums = SpanSums(config.skew.spans)
        self.labels = 0
        self.labels_closed: deque[tuple[int, int]] = deque(maxlen=max(config.skew.spans))

    def use(self, reference: Reference) -> None:
        """Compare with another reference from now on; closed panes of another layout are let go.

        Parameters
        ----------
        reference
            The counts of the current model.
        """
        if any(pane.layout != reference.layout.fingerprint for pane in self.closed):
            self.closed.clear()
        self.reference, self._test = reference, None

    def assess(self, pane: Pane, schema: Schema, *, concept: float, now: float) -> ClosedPane:
        """Take in a closed pane.

        Parameters
        ----------
        pane
            Its counts.
        schema
            What it is checked against.
        concept
            Evidence for a change of the loss, over what is needed.
        now
            Seconds since the epoch.

        Returns
        -------
        ClosedPane
            The pane, what is wrong with it, and what is wanted.

        Raises
        ------
        LayoutMismatchError
            The pane was counted with another layout than the reference.
        """
        report = None
        if self.reference is not None:
            fingerprint = self.reference.layout.fingerprint
            if pane.layout != fingerprint:
                raise LayoutMismatchError(fingerprint, pane.layout)
            report = self._calibrated(self.reference).report_counts(
                self._sums.add(pane, self.closed)
            )
        self.closed.append(pane)
        self.labels_closed.append((pane.events, self.labels))
        self.labels = 0
        events, labels = map(sum, zip(*self.labels_closed, strict=True))
        signals = Signals(
            error_fraction=pane.error_fraction,
            value_skew=report.ratio("feature") if report else 0.0,
            prediction_skew=report.ratio("prediction") if report else 0.0,
            label_skew=report.ratio("label") if report else 0.0,
            concept=concept,
            unlabelled=max(0.0, 1.0 - labels / events) if events else 1.0,
        )
        actions = self.trigger.pane(signals, now)
        self.index += 1
        return ClosedPane(
            index=self.index - 1,
            pane=pane,
            anomalies=pane_anomalies(pane, schema),
            report=report,
            signals=signals,
            state=self.trigger.state,
            actions=actions,
        )

    def _calibrated(self, reference: Reference) -> SkewTest:
        """Make the test when the first pane needs it: calibration takes a moment."""
        if self._test is None:
            events = self.config.panes.events if self.config.panes.seconds is None else None
            self._test = SkewTest(reference, self.config.skew, pane_events=events)
        return self._test
