"""The learner: a River model behind two verbs, predict and learn, whatever the task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import isfinite
from typing import Any, cast

from stream.events import Features, Rejected
from stream.labels import Label
from stream.sections import Task

Prediction = bool | float | dict[str, float] | str | int | None
"""What was predicted, in the plainest form that keeps all of it.

``binary``: the probability of the positive class. ``multiclass``: a probability for each class, by
its name; or the class alone, where the model gives no probabilities. ``regression``: the value.
``anomaly``: the score. None where the model has nothing to say yet.
"""

MAX_CLASSES = 1_000
"""Distinct labels that a multiclass stream may have."""


class Learner:
    """A River model, its task, and the names of the classes it has met.

    Parameters
    ----------
    model
        A River estimator that fits the task.
    task
        ``binary``, ``multiclass``, ``regression`` or ``anomaly``.

    Attributes
    ----------
    learns_without_label
        Whether an event is learned from when it comes, and its label is for the scores only.
    answered_by
        Which model the last prediction is of, where there is more than one; see ``stream.keys``.

    Examples
    --------
    >>> from river import linear_model
    >>> learner = Learner(linear_model.LogisticRegression(), "binary")
    >>> learner.predict({"x": 1.0})
    0.5
    >>> learner.learn({"x": 1.0}, True)
    >>> learner.predict({"x": 1.0}) > 0.5
    True
    """

    answered_by: str | None = None

    def __init__(self, model: Any, task: Task) -> None:
        self.model = model
        self.task = task
        self.classes: dict[str, Label] = {}
        self.learns_without_label = task == "anomaly"
        self._predict: Callable[[Features], Prediction] = partial(PREDICT[task], model)

    @property
    def is_full(self) -> bool:
        """Whether it holds more in memory than it should until the next checkpoint."""
        return False

    def is_one_class_too_many(self, label: Label) -> bool:
        """Return whether a label would be a new class where there are ``MAX_CLASSES`` already."""
        return len(self.classes) >= MAX_CLASSES and str(label) not in self.classes

    def predict(self, features: Features) -> Prediction:
        """Return the prediction for one event. May raise whatever the model raises."""
        return self._predict(features)

    def predict_alone(self, features: Features) -> Prediction:
        """Return the prediction of ``model`` itself, whatever other models there are."""
        return self._predict(features)

    def seen(self, features: Features) -> Features:
        """Return what its models see of an event's features."""
        return features

    def answering(self, features: Features) -> tuple[Learner, Features]:
        """Return the learner of the one model that answers for features, and what it sees."""
        return self, features

    def learn(self, features: Features, label: Label | None) -> None:
        """Learn from one event. May raise whatever the model raises."""
        if self.learns_without_label:
            self.model.learn_one(features)
            return
        if self.task == "multiclass":
            self.classes.setdefault(str(label), cast("Label", label))
        self.model.learn_one(features, label)

    def __getstate__(self) -> dict[str, Any]:
        return {"model": self.model, "task": self.task, "classes": self.classes}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["model"], state["task"])  # type: ignore[misc]
        self.classes = state["classes"]


def decide(task: Task, prediction: Prediction) -> Label | None:
    """Return the single answer that a prediction stands for.

    Parameters
    ----------
    task
        The task it was made for.
    prediction
        As ``Learner.predict`` returns it.

    Examples
    --------
    >>> decide("binary", 0.7), decide("multiclass", {"a": 0.2, "b": 0.8}), decide("regression", 3.5)
    (True, 'b', 3.5)
    """
    if task == "binary":
        return None if prediction is None else cast("float", prediction) > 0.5
    if isinstance(prediction, dict):
        return max(prediction, key=prediction.__getitem__) if prediction else None
    return prediction


def plain(task: Task, said: Prediction) -> Label | None:
    """Return a prediction or a label as one value that the monitor can count.

    Examples
    --------
    >>> plain("binary", 0.75), plain("multiclass", {"a": 0.9, "b": 0.1}), plain("multiclass", 3)
    (0.75, 'a', '3')
    """
    if isinstance(said, dict):
        return decide(task, said) if said else None
    if task == "multiclass" and said is not None:
        return str(said)
    return said


def all_plain(task: Task, said: Sequence[Prediction]) -> list[Label | None]:
    """Return predictions or labels as plain values, shape (predictions,); see ``plain``."""
    if task == "multiclass":
        return [plain(task, one) for one in said]
    return cast("list[Label | None]", list(said))


def probabilities(task: Task, prediction: Prediction) -> dict[str, float] | None:
    """Return the probability of each class by its name, or None where there are none.

    Examples
    --------
    >>> probabilities("binary", 0.75)
    {'false': 0.25, 'true': 0.75}
    """
    if task == "binary" and prediction is not None:
        positive = cast("float", prediction)
        return {"false": 1.0 - positive, "true": positive}
    return prediction if isinstance(prediction, dict) else None


def _binary(model: Any, features: Features) -> Prediction:
    try:
        found = model.predict_proba_one(features)
    except NotImplementedError:
        answer = model.predict_one(features)
        return None if answer is None else float(bool(answer))
    if not found:
        return None
    positive = found.get(True, 0.0)
    return float(positive) if isfinite(positive) else None


def _multiclass(model: Any, features: Features) -> Prediction:
    try:
        found = model.predict_proba_one(features)
    except NotImplementedError:
        return cast("Prediction", model.predict_one(features))
    if not found or not all(map(isfinite, found.values())):
        return None
    return {str(name): float(value) for name, value in found.items()}


def _regression(model: Any, features: Features) -> Prediction:
    return _finite(model.predict_one(features))


def _anomaly(model: Any, features: Features) -> Prediction:
    return _finite(model.score_one(features))


def _finite(value: Any) -> float | None:
    return float(value) if value is not None and isfinite(value) else None


PREDICT: dict[Task, Callable[[Any, Features], Prediction]] = {
    "binary": _binary,
    "multiclass": _multiclass,
    "regression": _regression,
    "anomaly": _anomaly,
}
"""By task, what asks a River model for a prediction of features."""


def model_error(stage: str, error: Exception) -> Rejected:
    """Return why an event is given up whose model raised."""
    return Rejected(
        stage, type(error).__name__, f"the model raised {type(error).__name__}: {error}"
    )
