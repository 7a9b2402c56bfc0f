"""The monitor: everything of this package behind one object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from monitor.arrays import FloatArray
from monitor.assessor import Assessor
from monitor.columns import Columns, Rows, as_rows, check, row_count
from monitor.concept import ConceptDrift, ConceptMonitor
from monitor.config import MonitorConfig
from monitor.counting import batch_cells, check_batch, sketch_bits
from monitor.detectors import LossDetector
from monitor.errors import StateError
from monitor.fitting import Values, compare_rows, feature_of, fit_reference, prediction_column
from monitor.infer import infer_schema
from monitor.layout import Role
from monitor.machine import Machine
from monitor.observation import Observation
from monitor.panes import Pane
from monitor.recorder import Recorder
from monitor.reference import Reference
from monitor.report import SkewReport
from monitor.schema import Schema
from monitor.snapshot import Snapshot, read_snapshot, write_snapshot
from monitor.trigger import Action
from monitor.warmup import WarmUp


class Monitor:
    """Watches one stream: its schema, its values, its loss; and says what it wants done.

    Without a reference the monitor makes one, and a schema where there is none, of its first
    events. It has no clock: times are passed in, and the same calls give the same results, however
    the events are cut into batches.

    Parameters
    ----------
    config
        Defaults are documented with each part.
    schema
        What events may hold.
    reference
        What the current model was promoted on.
    detector
        A live River detector to go on with; see `LossDetector`.

    Attributes
    ----------
    trigger, concept
        The state machine, to be told when a training starts and ends; the monitor of the loss.
    report
        The tests of the last closed pane.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> monitor = Monitor().fit({"x": rng.normal(size=5000), "y": rng.normal(size=5000)})
    >>> report = monitor.compare({"x": rng.normal(size=2000), "y": rng.normal(0.5, size=2000)})
    >>> report.alarms
    ('y',)
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
        self._recorder: Recorder | None = None
        self._assessor = Assessor(self.config, self.trigger)
        self._warmup = WarmUp(self.config.warmup_events)
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

    def fit(
        self,
        rows: Rows | Columns,
        *,
        predictions: Values | None = None,
        labels: Values | None = None,
    ) -> Monitor:
        """Make the reference, and the schema where there is none, of rows at hand.

        Parameters
        ----------
        rows
            A sequence of mappings, or a mapping of names to sequences or arrays, in the order of
            time. In an array of floats NaN is a missing value; in a list it is not finite.
        predictions, labels
            As long as the rows.

        Returns
        -------
        Monitor
            This object.
        """
        self.schema = self.schema or infer_schema(rows)
        extra: dict[Role, Values] = {}
        if predictions is not None and any(value is not None for value in predictions):
            extra["prediction"] = predictions
        if labels is not None:
            extra["label"] = labels
        self._use(fit_reference(rows, self.schema, self.config, extra))
        return self

    def compare(self, rows: Rows | Columns, *, predictions: Values | None = None) -> SkewReport:
        """Compare rows with the reference, as one span; nothing is remembered.

        Parameters
        ----------
        rows, predictions
            As for `fit`.

        Returns
        -------
        SkewReport
            A result for each column.

        Raises
        ------
        StateError
            There is no reference yet.
        """
        if self.reference is None or self.schema is None:
            raise StateError("without a reference", "compare", "call fit, or observe more events")
        return compare_rows(rows, self.schema, self.reference, self.config, predictions)

    def observe(
        self,
        events: Rows | Columns,
        times: Sequence[float] | FloatArray | None = None,
        *,
        predictions: Values | None = None,
        now: float | None = None,
    ) -> Observation:
        """Take in a batch of events.

        Parameters
        ----------
        events
            Rows or columns, in the order of arrival.
        times
            Event times in seconds since the epoch, finite, shape (rows,); default the number of
            the event.
        predictions
            What the model said, shape (rows,).
        now
            Seconds since the epoch, for cooldown and daily limit; default the event time of the
            pane that closes.

        Returns
        -------
        Observation
            Errors and anomalies of the events, and the panes that were closed. Whatever the
            events hold, nothing is raised.
        """
        rows = row_count(events)
        numbers = np.arange(self._seen, self._seen + rows)
        when = np.asarray(numbers if times is None else times, dtype=np.float64)
        if self._recorder is None:
            return self._warm_up(events, when, predictions, now)
        self._seen += rows
        schema, layout = self.schema or Schema(()), self._recorder.layout
        batch = check_batch(events, schema)
        cells = batch_cells(layout, batch, prediction_column(layout, predictions))
        closed = self._recorder.record(batch, cells, when, sketch_bits(batch, schema))
        panes = []
        for pane in closed:
            at, level = pane.last if now is None else now, self.concept.take_level()
            panes.append(self._assessor.assess(pane, schema, concept=level, now=at))
            self.report = panes[-1].report
        return Observation(batch.errors, batch.anomalies, tuple(panes))

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
        recorder = self._recorder
        if recorder is not None and ("label", "label") in recorder.layout.index:
            bins = recorder.layout.columns[recorder.layout.index["label", "label"]].bins
            recorder.count("label", bins.cells(check(labels, feature_of("label", bins))))
        if losses is None:
            return ()
        return self.concept.observe(losses, times)

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

    def snapshot(self, *, with_reference: bool = True) -> dict[str, Any]:
        """Give the whole state as plain data that any JSON writer takes.

        Parameters
        ----------
        with_reference
            Whether to include the reference; it may be kept elsewhere, as it does not change.

        Returns
        -------
        dict
            Equal states give equal data. The River detector is not in it: keep
            `monitor.concept.detector` beside the model.
        """
        return write_snapshot(
            Snapshot(
                schema=self.schema,
                reference=self.reference if with_reference else None,
                open=self._recorder.open if self._recorder else Pane(),
                closed=self.panes,
                key=self._recorder.key if self._recorder else None,
                index=self._assessor.index,
                seen=self._seen,
                trigger=self.trigger.memory,
                concept=self.concept.snapshot(),
                warmup=self._warmup.kept,
            )
        )

    @classmethod
    def restore(
        cls,
        data: object,
        config: MonitorConfig | None = None,
        *,
        reference: Reference | None = None,
        detector: LossDetector | None = None,
    ) -> Monitor:
        """Go on from a snapshot.

        Parameters
        ----------
        data
            What `snapshot` gave, also after a trip through JSON.
        config, reference, detector
            As before: the reference where the snapshot has none, and the live detector that was
            kept beside it; without one a new one begins.

        Returns
        -------
        Monitor
            In the state of the snapshot; `report` is empty until a pane closes.

        Raises
        ------
        DamagedError
            Not a snapshot.
        """
        stored = read_snapshot(data)
        monitor = cls(
            config, schema=stored.schema, reference=stored.reference or reference,
            detector=detector,
        )  # fmt: skip
        monitor.concept = ConceptMonitor.restore(stored.concept, monitor.config.concept, detector)
        if monitor._recorder is not None:
            monitor._recorder.open, monitor._recorder.key = stored.open, stored.key
        monitor._assessor.closed.extend(stored.closed)
        monitor._assessor.index, monitor._seen = stored.index, stored.seen
        monitor.trigger.memory, monitor._warmup.kept = stored.trigger, stored.warmup
        return monitor

    def _use(self, reference: Reference) -> None:
        layout = reference.layout
        if self._recorder is None or self._recorder.layout.fingerprint != layout.fingerprint:
            self._recorder = Recorder(layout, self.config.panes)
        self._assessor.use(reference)

    def _warm_up(
        self,
        events: Rows | Columns,
        when: FloatArray,
        predictions: Values | None,
        now: float | None,
    ) -> Observation:
        used, first = self._warmup.take(events, predictions, self.schema)
        self._seen += used
        if not self._warmup.complete:
            return first
        kept, self._warmup.kept = self._warmup.kept, []
        self.fit([event for event, _ in kept], predictions=[said for _, said in kept])
        rest = as_rows(events)[used:]
        said = None if predictions is None else predictions[used:]
        after = self.observe(rest, when[used:], predictions=said, now=now)
        moved = {row + used: noted for row, noted in after.anomalies.items()}
        errors = np.concatenate([first.errors, after.errors])
        return Observation(errors, {**first.anomalies, **moved}, after.panes, fitted=True)
