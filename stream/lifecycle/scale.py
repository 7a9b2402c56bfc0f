"""The loss that counts as 1 where models are compared."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stream.labels import Label
from stream.learner import Prediction
from stream.sections import Task
from stream.watching.losses import losses

_QUANTILE = 0.999


def loss_scale(task: Task, recent: Sequence[tuple[Label, Prediction]]) -> float:
    """Return 1 for losses of classes, and a high quantile of the last losses of numbers.

    Parameters
    ----------
    task
        What is predicted.
    recent
        The last labels and predictions of the champion.

    Examples
    --------
    >>> loss_scale("binary", []), loss_scale("regression", [(3.0, 1.0)] * 10)
    (1.0, 2.0)
    """
    if task in ("binary", "multiclass") or not recent:
        return 1.0
    found = losses(task, [label for label, _ in recent], [said for _, said in recent])
    found = found[np.isfinite(found)]
    return (float(np.quantile(found, _QUANTILE)) if len(found) else 0.0) or 1.0
