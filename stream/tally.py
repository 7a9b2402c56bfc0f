"""Scored predictions as counts, from which a metric is made when somebody looks at it.

River updates every confusion matrix of a metric with every prediction: ten for one ROC AUC. All
that those matrices hold is how often each label met each kind of answer, so that is what is
counted here, and the metrics are filled from the counts, by River, with a weight for each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from math import isfinite
from typing import Any, Literal, cast

import numpy as np
from river import metrics as river_metrics

from stream.labels import Label
from stream.learner import Prediction, decide
from stream.sections import Task

Cell = tuple[Label, Label | None]
"""A label, and the kind of answer it met: the class, or between which cuts the value lies."""


class Tally:
    """Predictions and their labels, for some metrics.

    Tallies of the same metrics can be added. Metrics that are neither made of confusion matrices
    nor a mean (R2, those with a window of their own) cannot be: a sum leaves them out.

    Parameters
    ----------
    metrics
        River metrics by name, not yet updated.
    task
        What they measure.
    certain
        Whether the predictions are answers that are sure of themselves: labels. Of few labels,
        counts hold all there is to know, and cost least. Not for regression.

    Attributes
    ----------
    scored
        How many predictions.

    Examples
    --------
    >>> tally = Tally({"ROCAUC": river_metrics.ROCAUC()}, "binary")
    >>> for label, positive in [(True, 0.9), (False, 0.2), (False, 0.6)]:
    ...     tally.update(label, positive)
    >>> tally.values()
    {'ROCAUC': 1.0}
    """

    def __init__(self, metrics: dict[str, Any], task: Task, *, certain: bool = False) -> None:
        self.task = task
        self.scored = 0
        self._empty = metrics
        self._certain = certain
        self._cells: dict[Cell, int] = {}
        self._cuts = None
        if task in ("binary", "anomaly") and not certain:
            self._cuts = _cuts(metrics.values())
        kinds = {name: self._kind(metric) for name, metric in metrics.items()}
        self._means = {n: deepcopy(m) for n, m in metrics.items() if kinds[n] == "mean"}
        self._others = {n: deepcopy(m) for n, m in metrics.items() if kinds[n] == "other"}
        self._counts = "counted" in kinds.values()

    @property
    def others(self) -> dict[str, Any]:
        """The metrics that a sum leaves out, by name."""
        return self._others

    def update(self, label: Label, prediction: Prediction) -> None:
        """Take note of a prediction, which is not None, and its label."""
        self.update_all([label], [prediction])

    def update_all(self, labels: Sequence[Label], predictions: Sequence[Prediction]) -> None:
        """Take note of predictions, none of which is None, and their labels, in order."""
        self.scored += len(labels)
        if self._counts:
            for cell, count in Counter(self._cells_of(labels, predictions)).items():
                self._cells[cell] = self._cells.get(cell, 0) + count
        metrics = [*self._means.values(), *self._others.values()]
        if not metrics:
            return
        for label, prediction in zip(labels, predictions, strict=True):
            said = sure(self.task, cast("Label", prediction)) if self._certain else prediction
            for metric in metrics:
                _update(metric, self.task, label, said)

    def __add__(self, other: Tally) -> Tally:
        total = Tally(self._empty, self.task, certain=self._certain)
        total.scored = self.scored + other.scored
        for cells in (self._cells, other._cells):
            for cell, count in cells.items():
                total._cells[cell] = total._cells.get(cell, 0) + count
        for name, metric in total._means.items():
            metric._mean = _sum(self._means[name]._mean, other._means[name]._mean)
        return total

    def values(self) -> dict[str, float | None]:
        """Return each metric's value; None where it is not defined yet."""
        if not self.scored:
            return dict.fromkeys(self._empty)
        found = {name: value_of(metric) for name, metric in self.metrics().items()}
        if self._counts and len({label for label, _ in self._cells}) < 2:
            # River says 0, which would be the worst there is.
            found |= {n: None for n, m in self._empty.items() if type(m) is river_metrics.ROCAUC}
        return found

    def metrics(self) -> dict[str, Any]:
        """Return the metrics, filled: River's own, by name."""
        return {name: self._filled(name, metric) for name, metric in self._empty.items()}

    def _filled(self, name: str, empty: Any) -> Any:
        if (running := self._means.get(name) or self._others.get(name)) is not None:
            return running
        metric = deepcopy(empty)
        for (label, kind), count in self._cells.items():
            if self._certain:
                _update(metric, self.task, label, sure(self.task, kind), count)
            elif self._cuts is None:
                metric.update(label, kind, count)
            else:
                _update(metric, self.task, label, self._between(cast("int", kind)), count)
        matrix = getattr(metric, "cm", None)
        if matrix is not None:  # counts calls, whatever their weight
            matrix.n_samples = sum(self._cells.values())
        return metric

    def _cells_of(
        self, labels: Sequence[Label], predictions: Sequence[Prediction]
    ) -> Iterator[Cell]:
        if self._certain:
            return zip(labels, cast("Sequence[Label]", predictions), strict=True)
        if self._cuts is not None:
            values = np.array(predictions, dtype=np.float64)
            return zip(labels, np.searchsorted(self._cuts, values).tolist(), strict=True)
        kinds = (decide(self.task, prediction) for prediction in predictions)
        return zip(map(str, labels), kinds, strict=True)

    def _between(self, kind: int) -> float:
        """Return a value that lies between the same cuts: they belong to what is below them."""
        cuts = self._cuts or [0.0]
        return cuts[kind] if kind < len(cuts) else cuts[-1] + 1.0

    def _kind(self, metric: Any) -> Literal["counted", "mean", "other"]:
        if is_mean(metric):
            return "counted" if self._certain else "mean"
        if type(metric) is river_metrics.ROCAUC:
            return "counted" if self._certain or self._cuts is not None else "other"
        classes = self.task in ("binary", "multiclass") and metric.requires_labels
        return "counted" if classes and hasattr(metric, "cm") else "other"


def is_mean(metric: Any) -> bool:
    """Return whether a metric is a running mean, so that two of them can be added."""
    return isinstance(metric, river_metrics.base.MeanMetric)


def _sum(mean: Any, other: Any) -> Any:
    """Return the mean over both; River's own sum divides by zero where both are empty."""
    if not (mean.n and other.n):
        return deepcopy(mean if mean.n else other)
    return mean + other


def value_of(metric: Any) -> float | None:
    """Return a metric's value; None where it is not defined yet."""
    try:
        value = float(metric.get())
    except (ZeroDivisionError, ValueError, NotImplementedError):
        return None
    return value if isfinite(value) else None


def sure(task: Task, answer: Label | None) -> Prediction:
    """Return an answer in the form of a prediction that is certain of itself."""
    if answer is None:
        return None
    if task in ("binary", "anomaly"):
        return float(answer)
    if task == "multiclass":
        return {str(answer): 1.0}
    return answer


def _cuts(metrics: Iterable[Any]) -> list[float]:
    """Return all thresholds that a prediction is compared with, in order."""
    found = {0.5}
    for metric in metrics:
        found.update(getattr(metric, "thresholds", ()))
    return sorted(found)


def _update(metric: Any, task: Task, label: Label, prediction: Prediction, weight: int = 1) -> None:
    said: object = prediction
    if task == "binary":
        positive = cast("float", prediction)
        said = positive > 0.5 if metric.requires_labels else {True: positive, False: 1 - positive}
    elif task == "multiclass":
        label = str(label)
        said = decide(task, prediction) if metric.requires_labels else prediction
    if weight == 1:
        metric.update(label, said)
    else:
        metric.update(label, said, weight)
