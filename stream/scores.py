"""Progressive scores: the prediction that was given when the event came, scored by its label.

Prequential evaluation with real delays (Gama, Sebastiao and Rodrigues, "On evaluating stream
learning algorithms", Machine Learning 90, 2013), over the whole stream and over the last
labels, always beside the baselines on the same events.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from copy import deepcopy
from math import isfinite
from typing import Any, cast

from stream.baselines import baseline_names
from stream.labels import Label
from stream.learner import Prediction, decide
from stream.sections import Task

Said = tuple[Label | None, Label | None]
"""What the two baselines said."""


class Scores:
    """The metrics of one stream.

    A baseline of a classification task says one of few labels, so counts of (label, said) pairs
    hold all of it, and its metrics are computed when somebody looks. The rolling scores are
    computed from the last pairs in the same way. Only the model's whole-stream metrics, and a
    numeric baseline's, are updated event by event.

    Parameters
    ----------
    metrics
        River metrics by name, not yet updated.
    task
        What they measure.
    window
        How many of the last labels the rolling scores cover.

    Examples
    --------
    >>> from river import metrics
    >>> scores = Scores({"Accuracy": metrics.Accuracy()}, "binary", window=2)
    >>> for label, said in [(True, 0.9), (False, 0.8), (True, 0.7)]:
    ...     scores.update(label, said, (True, True))
    >>> scores.summary()["model"]["Accuracy"], scores.rolling()["model"]["Accuracy"]
    (0.6666666666666666, 0.5)
    """

    def __init__(self, metrics: dict[str, Any], task: Task, window: int) -> None:
        self.task = task
        self.scored = 0
        self.unscored = 0
        self._empty = deepcopy(metrics)
        self._model = deepcopy(metrics)
        self._numeric = [deepcopy(metrics) for _ in range(2)] if task == "regression" else []
        self._pairs: list[dict[tuple[Label, Label], int]] = [{} for _ in range(2)]
        self._window: deque[tuple[Label, Prediction, Said]] = deque(maxlen=window)

    def update(self, label: Label, prediction: Prediction, said: Said) -> None:
        """Score one prediction, and what the baselines said at its time."""
        if prediction is None:
            self.unscored += 1
            return
        self.scored += 1
        _update(self._model, self.task, label, prediction)
        if self._numeric:
            for metrics, answer in zip(self._numeric, said, strict=True):
                if answer is not None:
                    _update(metrics, self.task, label, cast("float", answer))
        else:
            for pairs, answer in zip(self._pairs, said, strict=True):
                if answer is not None:
                    pair = (label, answer)
                    pairs[pair] = pairs.get(pair, 0) + 1
        self._window.append((label, prediction, said))

    def fresh_metrics(self) -> dict[str, Any]:
        """Return the metrics as they were before the first update."""
        return deepcopy(self._empty)

    def recent(self) -> list[tuple[Label, Prediction]]:
        """Return the last labels and predictions, oldest first."""
        return [(label, prediction) for label, prediction, _ in self._window]

    def resize(self, window: int) -> None:
        """Change the number of labels that the rolling scores cover."""
        if window != self._window.maxlen:
            self._window = deque(self._window, maxlen=window)

    def summary(self) -> dict[str, dict[str, float | None]]:
        """Return every metric over the whole stream, of the model and of each baseline."""
        result = {"model": _values(self._model)}
        for index, name in enumerate(baseline_names(self.task)):
            metrics = self._numeric[index] if self._numeric else self._from_pairs(index)
            result[name] = _values(metrics)
        return result

    def rolling(self) -> dict[str, dict[str, float | None]]:
        """Return every metric over the last labels. Costs one update for each of them."""
        result = {"model": _values(self._replay((row[0], row[1]) for row in self._window))}
        for index, name in enumerate(baseline_names(self.task)):
            said = [(row[0], row[2][index]) for row in self._window]
            result[name] = _values(
                self._replay((label, _as_prediction(self.task, answer)) for label, answer in said)
            )
        return result

    def _replay(self, rows: Iterable[tuple[Label, Prediction]]) -> dict[str, Any]:
        metrics = self.fresh_metrics()
        for label, prediction in rows:
            if prediction is not None:
                _update(metrics, self.task, label, prediction)
        return metrics

    def _from_pairs(self, index: int) -> dict[str, Any]:
        metrics = self.fresh_metrics()
        for (label, answer), count in self._pairs[index].items():
            _update(metrics, self.task, label, _as_prediction(self.task, answer), count)
        return metrics


def _as_prediction(task: Task, answer: Label | None) -> Prediction:
    """Return a baseline's answer in the form of a prediction, certain of itself."""
    if answer is None:
        return None
    if task in ("binary", "anomaly"):
        return float(answer)
    if task == "multiclass":
        return {str(answer): 1.0}
    return answer


def _update(
    metrics: dict[str, Any], task: Task, label: Label, prediction: Prediction, weight: int = 1
) -> None:
    for metric in metrics.values():
        said: object = prediction
        if task == "binary":
            positive = cast("float", prediction)
            said = (
                positive > 0.5 if metric.requires_labels else {True: positive, False: 1 - positive}
            )
        elif task == "multiclass":
            label = str(label)
            said = decide(task, prediction) if metric.requires_labels else prediction
        if weight == 1:
            metric.update(label, said)
        else:
            metric.update(label, said, weight)


def _values(metrics: dict[str, Any]) -> dict[str, float | None]:
    """Return each metric's value; None where it is not defined yet."""
    return {name: _value(metric) for name, metric in metrics.items()}


def _value(metric: Any) -> float | None:
    try:
        value = float(metric.get())
    except (ZeroDivisionError, ValueError, NotImplementedError):
        return None
    return value if isfinite(value) else None
