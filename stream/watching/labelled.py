"""Labels that met their predictions: how well the model did, by segment and by label age."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from monitor.arrays import FloatArray, IntArray
from monitor.drift import ConceptDrift
from monitor.layout import Layout
from monitor.monitor import Monitor
from monitor.performance import Performance, score_batch
from monitor.segments import segments_of
from stream.baselines import baseline_names
from stream.events import Features
from stream.labels import Label
from stream.learner import Prediction, all_plain
from stream.sections import Task
from stream.watching.beside import Beside
from stream.watching.leads import MODEL, Leads
from stream.watching.losses import losses
from stream.watching.outlook import Outlook
from stream.watching.pane_row import pack_scores

SEGMENT_FEATURES, SEGMENT_CATEGORIES = 5, 20


class Labelled(msgspec.Struct, frozen=True, gc=False):
    """A label that met its prediction.

    Parameters
    ----------
    features, label
        Of the event.
    prediction, baselines
        What the model and the baselines had said.
    time, age
        The event's time, and how old it was when the label came, in milliseconds.
    frozen
        What the frozen model had said, where it was asked.
    is_of_now
        Whether it was predicted since the promotion of the model that serves.
    """

    features: Features
    label: Label
    prediction: Prediction
    baselines: tuple[Label | None, Label | None]
    time: int
    age: int
    frozen: Prediction
    is_of_now: bool


class Performances:
    """Exact sums of losses, over the whole stream and since the last pane.

    Parameters
    ----------
    task
        What is predicted.
    calibration_labels
        Labels that the outlook is calibrated on.
    segments
        Features whose segments are kept apart; default the first categorical ones with few
        categories.

    Attributes
    ----------
    whole, since_pane
        By model, segment and label age.
    beside, beside_since_pane
        Losses of the model and of the frozen one on the same labels: since it was frozen, and since
        the last pane.
    outlook, leads
        Expected performance without labels; the lead over the baselines and over that.
    """

    def __init__(
        self, task: Task, calibration_labels: int, segments: Sequence[str] | None = None
    ) -> None:
        self.task = task
        self.whole = Performance()
        self.since_pane = Performance()
        self.beside = Beside()
        self.beside_since_pane = Beside()
        self.outlook = Outlook(task, calibration_labels)
        self.leads = Leads()
        self._segments = segments

    def predicted(self, predictions: Sequence[Prediction]) -> None:
        """Take note of predictions."""
        self.outlook.predicted(predictions)
        self._add(Performance(predictions=len(predictions)))

    def labelled(self, rows: Sequence[Labelled], monitor: Monitor) -> tuple[ConceptDrift, ...]:
        """Score labels, and let the monitor have their losses.

        Parameters
        ----------
        rows
            In the order in which the labels came.
        monitor
            Has a reference.

        Returns
        -------
        tuple of ConceptDrift
            What the losses showed.
        """
        rows = [row for row in rows if row.prediction is not None]
        if not rows:
            return ()
        labels = [row.label for row in rows]
        said = [row.prediction for row in rows]
        lost = losses(self.task, labels, said)
        times = [row.time / 1000 for row in rows]
        drifts = self._observe(all_plain(self.task, labels), times, lost, monitor)
        self.outlook.labelled(labels, said)
        self._score(rows, labels, lost, monitor)
        self._score_beside(rows, lost)
        return drifts

    def close_pane(self) -> bytes:
        """Begin a new pane, and return the scores of the last one; see ``pack_scores``."""
        since, self.since_pane = self.since_pane, Performance()
        beside, self.beside_since_pane = self.beside_since_pane, Beside()
        confidences = self.outlook.close_pane()
        self.leads.close_pane(since, self.outlook.accuracy())
        return pack_scores(since, confidences, beside)

    def add_merged(self, performance: Performance, confidences: IntArray, beside: Beside) -> None:
        """Add what others have scored; see ``pack_scores``."""
        self._add(performance)
        self.outlook.add(confidences)
        self.beside += beside
        self.beside_since_pane += beside

    def segment_names(self, layout: Layout) -> Sequence[str]:
        """Return the features whose segments are kept apart."""
        return self._segments or _few_categories(layout)

    def _observe(
        self,
        labels: list[Label | None],
        times: Sequence[float],
        lost: FloatArray,
        monitor: Monitor,
    ) -> tuple[ConceptDrift, ...]:
        return monitor.observe_labels(labels, times, losses=lost)

    def _score(
        self,
        rows: Sequence[Labelled],
        labels: Sequence[Label],
        lost: FloatArray,
        monitor: Monitor,
    ) -> None:
        """Add the losses of the model and the baselines, where all of them had an answer."""
        by_model = {MODEL: lost}
        for index, name in enumerate(baseline_names(self.task)):
            by_model[name] = losses(self.task, labels, [row.baselines[index] for row in rows])
        whole = np.logical_and.reduce([np.isfinite(x) for x in by_model.values()])
        kept = [row for row, complete in zip(rows, whole.tolist(), strict=True) if complete]
        schema, recorder = monitor.schema, monitor.recorder
        if not kept or schema is None or recorder is None:
            return
        names = self.segment_names(recorder.layout)
        features = [row.features for row in kept]
        self._add(
            score_batch(
                {name: x[whole] for name, x in by_model.items()},
                ages=[row.age / 1000 for row in kept],
                segments=segments_of(features, names, schema, recorder.layout),
            )
        )

    def _score_beside(self, rows: Sequence[Labelled], lost: FloatArray) -> None:
        """Add the losses of the model and the frozen one where both were asked."""
        asked = [at for at, row in enumerate(rows) if row.frozen is not None]
        if asked:
            labels, said = [rows[at].label for at in asked], [rows[at].frozen for at in asked]
            frozen = losses(self.task, labels, said)
            found = Beside.of(lost[asked], frozen)
            self.beside += found
            self.beside_since_pane += found

    def _add(self, performance: Performance) -> None:
        self.whole += performance
        self.since_pane += performance


def _few_categories(layout: Layout) -> list[str]:
    """Return the first features that have few categories."""
    return [
        column.name
        for column in layout.columns
        if column.role == "feature"
        and column.bins.kind == "categorical"
        and column.bins.size <= SEGMENT_CATEGORIES
    ][:SEGMENT_FEATURES]
