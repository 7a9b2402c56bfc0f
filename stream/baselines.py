"""What a model must beat: the last label, and the majority class or the running mean."""

from __future__ import annotations

from stream.labels import Label
from stream.sections import Task


def baseline_names(task: Task) -> tuple[str, str]:
    """Return what the two baselines of a task are called.

    ``no_change`` says the label that came last.

    Examples
    --------
    >>> baseline_names("binary"), baseline_names("regression")
    (('no_change', 'majority'), ('no_change', 'mean'))
    """
    return "no_change", "mean" if task == "regression" else "majority"


class Baselines:
    """The two baselines, as they stand after the labels that have come so far.

    Parameters
    ----------
    task
        Decides between majority (classes) and mean (numbers).

    Examples
    --------
    >>> baselines = Baselines("binary")
    >>> for label in (True, False, False):
    ...     baselines.learn(label)
    >>> baselines.predict()
    (False, False)
    """

    def __init__(self, task: Task) -> None:
        self._numeric = task == "regression"
        self._last: Label | None = None
        self._counts: dict[Label, int] = {}
        self._majority: Label | None = None
        self._seen = 0
        self._mean = 0.0

    def predict(self) -> tuple[Label | None, Label | None]:
        """Return the last label and the usual one; None before the first."""
        return self._last, self._majority

    def learn(self, label: Label) -> None:
        """Take note of a label."""
        self._last = label
        if self._numeric:
            self._seen += 1
            self._mean += (float(label) - self._mean) / self._seen
            self._majority = self._mean
            return
        counts = self._counts
        count = counts[label] = counts.get(label, 0) + 1
        if self._majority is None or count > counts[self._majority]:
            self._majority = label
