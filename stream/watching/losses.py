"""The loss of predictions: what concept drift and performance by segment are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from monitor.arrays import FloatArray
from stream.labels import Label
from stream.learner import Prediction
from stream.sections import Task
from stream.watching.monitor_config import WRONG_ABOVE

_BRIER = (
    "the Brier score of the stated probabilities, from 0 to 1; a class without probabilities is "
    "sure of itself, so that its loss is 0 or 1"
)
MEANINGS: Mapping[Task, str] = {
    "binary": f"{_BRIER}. Above {WRONG_ABOVE:g} the prediction was wrong",
    "multiclass": _BRIER,
    "regression": "the absolute error, in the unit of the label",
    "anomaly": "the distance of the score from the label, which is 0 or 1",
}
"""What a loss is, by task."""


def losses(
    task: Task, labels: Sequence[Label], predictions: Sequence[Prediction | Label]
) -> FloatArray:
    """Return the loss of each prediction, 0 for a perfect one.

    Binary and multiclass: the Brier score, half the sum over the classes of (probability minus
    truth) squared, in [0, 1] (Brier 1950, Monthly Weather Review 78). It is proper: no model gains
    by stating another probability than it has, as it would by one minus the label's probability
    (Gneiting and Raftery 2007, JASA 102). A class without probabilities is sure of itself.
    Regression: the absolute error. Anomaly: the distance of the score from the label.

    Parameters
    ----------
    task
        What was predicted.
    labels, predictions
        The truth, and what a model or a baseline said; shape (labels,).

    Returns
    -------
    array
        Shape (labels,); NaN where nothing was predicted.

    Examples
    --------
    >>> losses("binary", [True, False], [0.75, None]).tolist()
    [0.0625, nan]
    >>> losses("multiclass", ["a", "b"], [{"a": 0.5, "b": 0.5}, "a"]).tolist()
    [0.25, 1.0]
    """
    if task == "multiclass":
        pairs = zip(labels, predictions, strict=True)
        return np.array([_of_class(label, said) for label, said in pairs], dtype=np.float64)
    truth = np.array(labels, dtype=np.float64)
    error = np.abs(truth - np.array(predictions, dtype=np.float64))
    return np.asarray(error * error if task == "binary" else error)


def _of_class(label: Label, said: Prediction | Label) -> float:
    if said is None:
        return float("nan")
    if isinstance(said, dict):
        stated = said.get(str(label), 0.0)
        squares = sum(probability * probability for probability in said.values())
        return 0.5 * (squares - 2.0 * stated + 1.0)
    return float(str(said) != str(label))
