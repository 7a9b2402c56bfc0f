"""The engine of the monitor: checked events and labels in, closed panes and wanted actions out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from monitor.arrays import FloatArray
from monitor.assessor import Assessor
from monitor.columns import Columns, Rows, check, row_count
from monitor.concept import ConceptMonitor
from monitor.config import MonitorConfig
from monitor.counting import CheckedBatch, batch_cells, check_batch, sketch_bits
from monitor.detectors import LossDetector
from monitor.drift import ConceptDrift
from monitor.errors import StateError
from monitor.fitting import Values, feature_of, prediction_column
from monitor.machine import Machine
from monitor.observation import ClosedPane
from monitor.panes import Pane
from monitor.recorder import Recorder
from monitor.reference import Reference
from monitor.report import SkewReport
from monitor.schema import Schema
from monitor.trigger import Action


class Engine:
    """What watches a stream once there is something to compare it with.

    `Monitor` is this with rows instead of checked batches, and a warm-up.

    Parameters
    ----------
    config, schema, reference, detector
        As for `Monitor`.

    Attributes
    ----------
    trigger, concept
        The state machine, to be told when a training starts and ends; the monitor of the loss.
    report
        The tests of the last closed pane.
    recorder
        The open pane; None while there is no reference.

    Examples
    --------
    >>> Engine(schema=Schema(())).check([{}, {}]).errors.tolist()
    [False, False]
    """

    def __init__(
        self,
        config: MonitorConfig | None = None,
        *,
        schema: Schema | None = None,
        reference: Reference | None = None,
        detector: LossDetector | None = None,
    ) -> None:
        self.config = config or MonitorConfig()
        self.schema = schema
        self.concept = ConceptMonitor(self.config.concept, detector)
        self.trigger = Machine(self.config.trigger)
        self.report: SkewReport | None = None
        self._seen = 0
        self.recorder: Recorder | None = None
        self._assessor = Assessor(self.config, self.trigger)
        if reference is not None:
            self._use(reference)

    @property
    def reference(self) -> Reference | None:
        """What current events are compared with; None during the warm-up."""
        return self._assessor.reference

    @property
    def panes(self) -> tuple[Pane, ...]:
        """The last closed panes, oldest first."""
        return tuple(self._assessor.closed)

    def check(self, events: Rows | Columns) -> CheckedBatch:
        """Check events against the schema, if there is one yet."""
        if self.schema is None:
            rows = row_count(events)
            return CheckedBatch(rows, {}, np.zeros(rows, dtype=np.bool_))
        return check_batch(events, self.schema)

    def count(
        self,
        batch: CheckedBatch,
        times: Sequence[float] | FloatArray,
        *,
        predictions: Values | None = None,
        now: float | None = None,
    ) -> tuple[ClosedPane, ...]:
        """Count checked events.

        Parameters
        ----------
        batch
            What `check` returned.
        times, predictions, now
            As for `Monitor.observe`.

        Returns
        -------
        tuple of ClosedPane
            The panes that were closed, in order.

        Raises
        ------
        StateError
            There is no reference yet.
        """
        return tuple(
            self.take(pane, now=now) for pane in self.record(batch, times, predictions=predictions)
        )

    def record(
        self,
        batch: CheckedBatch,
        times: Sequence[float] | FloatArray,
        *,
        predictions: Values | None = None,
    ) -> Iterator[Pane]:
        """Count checked events, and test nothing; all of the iterator must be consumed.

        Parameters
        ----------
        batch, times, predictions
            As for `count`.

        Yields
        ------
        Pane
            Each one that closes, in order.

        Raises
        ------
        StateError
            There is no reference yet.
        """
        if self.recorder is None:
            raise StateError("without a reference", "count", "call fit, or observe more events")
        self._seen += batch.rows
        schema, layout = self.schema or Schema(()), self.recorder.layout
        cells = batch_cells(layout, batch, prediction_column(layout, predictions))
        when = np.asarray(times, dtype=np.float64)
        yield from self.recorder.record(batch, cells, when, sketch_bits(batch, schema))

    def take(self, pane: Pane, *, now: float | None = None) -> ClosedPane:
        """Test a pane that was counted, here or elsewhere, and say what follows from it.

        Parameters
        ----------
        pane
            Of the reference's layout; such as the sum of those of several partitions.
        now
            As for `Monitor.observe`.

        Returns
        -------
        ClosedPane
            The pane, what is wrong with it, and what is wanted.

        Raises
        ------
        LayoutMismatchError
            The pane was counted with another layout than the reference.
        """
        at, level = pane.last if now is None else now, self.concept.take_level()
        closed = self._assessor.assess(pane, self.schema or Schema(()), concept=level, now=at)
        self.report = closed.report
        return closed

    def observe_labels(
        self,
        labels: Values,
        times: Sequence[float] | FloatArray,
        *,
        losses: Sequence[float] | FloatArray | None = None,
    ) -> tuple[ConceptDrift, ...]:
        """Take in labels as they arrive, with the losses of the predictions they belong to.

        Parameters
        ----------
        labels
            Shape (labels,); counted where the reference has labels.
        times, losses
            Event times in seconds; losses of the champion, not negative. Shape (labels,).

        Returns
        -------
        tuple of ConceptDrift
            What was found; the trigger reads it when the next pane closes.
        """
        recorder = self.recorder
        if recorder is not None and ("label", "label") in recorder.layout.index:
            bins = recorder.layout.columns[recorder.layout.index["label", "label"]].bins
            recorder.count("label", bins.cells(check(labels, feature_of("label", bins))))
        return self.observe_losses(len(times), losses, times)

    def observe_losses(
        self,
        labels: int,
        losses: Sequence[float] | FloatArray | None,
        times: Sequence[float] | FloatArray,
    ) -> tuple[ConceptDrift, ...]:
        """Take in losses of labels whose values are counted elsewhere.

        Parameters
        ----------
        labels
            How many labels came; there may be fewer losses.
        losses, times
            As for `observe_labels`, shape (losses,).

        Returns
        -------
        tuple of ConceptDrift
            What was found.
        """
        self._assessor.labels += labels
        return () if losses is None else self.concept.observe(losses, times)

    def promote(self, reference: Reference) -> None:
        """Go on with the reference of a newly promoted model, and watch its loss from anew.

        Parameters
        ----------
        reference
            For instance `Reference.of_panes` of the panes it was trained on. Panes of another
            layout, closed or open, are let go, as they cannot be compared.
        """
        self._use(reference)
        self.concept.reset()

    def correct(self, schema: Schema, now: float) -> tuple[Action, ...]:
        """Go on with another schema; a halt ends.

        Parameters
        ----------
        schema, now
            The corrected one, and seconds since the epoch.

        Returns
        -------
        tuple of Action
            What is wanted: to resume, after a halt.
        """
        self.schema = schema
        return self.trigger.corrected(now)

    def _use(self, reference: Reference) -> None:
        layout = reference.layout
        if self.recorder is None or self.recorder.layout.fingerprint != layout.fingerprint:
            self.recorder = Recorder(layout, self.config.panes)
        self._assessor.use(reference)
