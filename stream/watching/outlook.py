"""Performance before the labels come: what the model's confidence promises, and what came true.

The model's stated probabilities are calibrated on the first labels after the warm-up; from then on
the confidence of the latest predictions gives the expected metrics with a band, beside the metrics
of the labels that arrived meanwhile.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from monitor.arrays import FloatArray, IntArray
from monitor.estimate import (
    LEVELS,
    Calibrator,
    Estimate,
    confidence_counts,
    estimate_accuracy,
    estimate_binary,
)
from stream.labels import Label
from stream.learner import Prediction, decide
from stream.sections import Task

_SPAN_PANES = 16


class _Stored(msgspec.Struct):
    share: tuple[float, ...] | None
    calibration: bytes
    panes: list[bytes]
    open: bytes


class Outlook:
    """Expected and realised metrics of a classifier over the last panes.

    Parameters
    ----------
    task
        ``binary`` gives accuracy, precision, recall, F1, ROC AUC, Brier score and log loss;
        ``multiclass`` accuracy; other tasks nothing.
    calibration_labels
        Labels that the calibration is made of.

    Examples
    --------
    >>> outlook = Outlook("binary", calibration_labels=100)
    >>> outlook.predicted([0.8] * 200)
    >>> outlook.labelled([i % 5 != 0 for i in range(200)], [0.8] * 200)
    >>> _ = outlook.close_pane()
    >>> expected = outlook.summary()["expected"]["accuracy"]
    >>> round(expected["value"], 3), outlook.summary()["realised"]["accuracy"]
    (0.8, 0.8)
    """

    def __init__(self, task: Task, calibration_labels: int) -> None:
        self._task = task
        self._wanted = calibration_labels
        self._calibration = _empty()
        self._calibrator: Calibrator | None = None
        self._panes: deque[IntArray] = deque(maxlen=_SPAN_PANES)
        self._open = _empty()

    @property
    def calibrator(self) -> Calibrator | None:
        """What came true of what was stated; None until there are enough labels."""
        return self._calibrator

    def begin_anew(self) -> None:
        """Forget everything, for a newly promoted model: its confidence is calibrated anew."""
        self._calibration, self._open = _empty(), _empty()
        self._calibrator = None
        self._panes.clear()

    def predicted(self, predictions: Sequence[Prediction]) -> None:
        """Take note of predictions."""
        self._open[0] += confidence_counts(self._confidences(predictions))

    def labelled(self, labels: Sequence[Label], predictions: Sequence[Prediction]) -> None:
        """Take note of labels and the predictions they belong to, shape (labels,) both."""
        confidences = self._confidences(predictions)
        if self._task == "binary":
            right = np.array(labels, dtype=np.bool_)
        else:
            pairs = zip(labels, predictions, strict=True)
            hits = [decide(self._task, said) == str(label) for label, said in pairs]
            right = np.array(hits, dtype=np.bool_)
        self._open[1] += confidence_counts(confidences)
        self._open[2] += confidence_counts(confidences[right])

    def add(self, counts: IntArray) -> None:
        """Add counts that others have closed, shape (3, ``LEVELS``)."""
        self._open += counts

    def close_pane(self) -> IntArray:
        """Begin a new pane, and return the counts of the last one.

        Returns
        -------
        array
            Shape (3, ``LEVELS``): predictions, labelled ones, those that came true, by confidence.
        """
        closed, self._open = self._open, _empty()
        self._panes.append(closed)
        if self._calibrator is None:
            self._calibration += closed
            if self._calibration[1].sum() >= self._wanted:
                self._calibrator = Calibrator.fit(self._calibration[1], self._calibration[2])
        return closed

    def summary(self) -> dict[str, Any] | None:
        """Return expected and realised metrics of the last panes; None before calibration."""
        if self._calibrator is None or not self._panes:
            return None
        counts = np.sum(np.stack(list(self._panes)), axis=0)
        return {"panes": len(self._panes)} | compare(self._task, counts, self._calibrator)

    def accuracy(self) -> tuple[float, float, int] | None:
        """Return the low end of the accuracy's band, the realised one, and of how many labels."""
        if self._calibrator is None or not self._panes:
            return None
        predicted, labelled, true = np.sum(np.stack(list(self._panes)), axis=0)
        expected = _accuracy(self._task, predicted, self._calibrator)
        shares = np.divide(true, labelled, out=np.zeros(LEVELS), where=labelled > 0)
        realised = _accuracy(self._task, labelled, Calibrator(tuple(shares.tolist())))
        if expected is None or realised is None:
            return None
        return expected.low, realised.value, int(labelled.sum())

    def to_data(self) -> bytes:
        """Return the state as bytes."""
        stored = _Stored(
            share=None if self._calibrator is None else self._calibrator.share,
            calibration=_bytes(self._calibration),
            panes=[_bytes(pane) for pane in self._panes],
            open=_bytes(self._open),
        )
        return msgspec.msgpack.encode(stored)

    def restore(self, data: bytes) -> None:
        """Become what ``to_data`` said."""
        stored = msgspec.msgpack.decode(data, type=_Stored)
        self._calibrator = None if stored.share is None else Calibrator(stored.share)
        self._calibration = _counts(stored.calibration)
        self._panes = deque(map(_counts, stored.panes), maxlen=_SPAN_PANES)
        self._open = _counts(stored.open)

    def _confidences(self, predictions: Sequence[Prediction]) -> FloatArray:
        """Return what each prediction states, NaN where it states nothing; shape (predictions,)."""
        if self._task == "binary":
            return np.array(predictions, dtype=np.float64)
        stated = [max(said.values()) if isinstance(said, dict) and said else np.nan
                  for said in predictions]  # fmt: skip
        return np.array(stated, dtype=np.float64)


def compare(task: Task, counts: IntArray, calibrator: Calibrator) -> dict[str, Any]:
    """Return the expected metrics of predictions, and the realised ones of their labels.

    Parameters
    ----------
    task
        ``binary`` or ``multiclass``.
    counts
        Shape (3, ``LEVELS``), as ``Outlook.close_pane`` returns them; they add up.
    calibrator
        Made before these predictions.

    Examples
    --------
    >>> counts = np.zeros((3, LEVELS), dtype=np.int64)
    >>> counts[:, 200] = 10, 4, 4
    >>> found = compare("multiclass", counts, Calibrator(tuple([0.5] * LEVELS)))
    >>> found["expected"]["accuracy"]["value"], found["realised"]["accuracy"]
    (0.5, 1.0)
    """
    predicted, labelled, true = counts
    # Known outcomes are an estimate whose shares are what came true.
    shares = np.divide(true, labelled, out=np.zeros(LEVELS), where=labelled > 0)
    known = _estimates(task, labelled, Calibrator(tuple(shares.tolist())))
    return {
        "predictions": int(predicted.sum()),
        "labels": int(labelled.sum()),
        "expected": {
            e.metric: {"value": e.value, "low": e.low, "high": e.high}
            for e in _estimates(task, predicted, calibrator)
        },
        "realised": {e.metric: e.value for e in known},
    }


def _estimates(task: Task, counts: IntArray, calibrator: Calibrator) -> tuple[Estimate, ...]:
    if task == "binary":
        return estimate_binary(counts, calibrator)
    accuracy = estimate_accuracy(counts, calibrator)
    return () if accuracy is None else (accuracy,)


def _accuracy(task: Task, counts: IntArray, calibrator: Calibrator) -> Estimate | None:
    if task != "binary":
        return estimate_accuracy(counts, calibrator)
    # A stated probability below one half is a prediction of the other class.
    half = LEVELS // 2
    share = np.asarray(calibrator.share)
    right = Calibrator(tuple(np.where(np.arange(LEVELS) < half, 1.0 - share, share).tolist()))
    return estimate_accuracy(counts, right)


def _empty() -> IntArray:
    return np.zeros((3, LEVELS), dtype=np.int64)


def _bytes(counts: IntArray) -> bytes:
    return counts.astype("<u4").tobytes()


def _counts(data: bytes) -> IntArray:
    return np.frombuffer(data, dtype="<u4").astype(np.int64).reshape(3, LEVELS)
