"""Performance without labels: what the model's own confidence says, once calibrated.

Confidence-based performance estimation (NannyML's CBPE): where a calibrated classifier says 0.8, it
is right in 80 % of the cases, whatever the mix of cases is. It sees a changed mix of inputs, and is
blind to a changed concept; it is shown beside the realised performance when labels come.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monitor.arrays import FloatArray, IntArray

LEVELS = 256
_BAND_Z = 3.0
Metric = str


def confidence_counts(probabilities: Sequence[float] | FloatArray) -> IntArray:
    """Reduce probabilities to additive counts.

    Parameters
    ----------
    probabilities
        Of the positive class, or of the predicted class; shape (predictions,). What is not in
        [0, 1] is left out.

    Returns
    -------
    array
        Shape (LEVELS,): predictions by level; two such arrays add up.

    Examples
    --------
    >>> np.flatnonzero(confidence_counts([0.0, 1.0, 1.0])).tolist()
    [0, 255]
    """
    p = np.asarray(probabilities, dtype=np.float64)
    p = p[(p >= 0.0) & (p <= 1.0)]
    return np.bincount(np.minimum((p * LEVELS).astype(np.int64), LEVELS - 1), minlength=LEVELS)


@dataclass(frozen=True, slots=True)
class Calibrator:
    """From the level a model states to the share that comes true.

    Parameters
    ----------
    share
        Shape (LEVELS,), not decreasing.
    """

    share: tuple[float, ...]

    @classmethod
    def fit(cls, stated: IntArray, true: IntArray) -> Calibrator:
        """Calibrate on predictions whose outcome is known.

        Isotonic regression by pooling adjacent violators (Ayer et al. 1955, Annals of Mathematical
        Statistics 26), between levels that were seen, interpolated.

        Parameters
        ----------
        stated
            `confidence_counts` of all predictions.
        true
            The same of those that came true.

        Returns
        -------
        Calibrator
            The identity where nothing is known.

        Examples
        --------
        >>> stated = confidence_counts([0.5] * 10 + [0.9] * 10)
        >>> true = confidence_counts([0.5] * 2 + [0.9] * 6)
        >>> round(Calibrator.fit(stated, true).share[128], 2)
        0.2
        """
        levels = (np.arange(LEVELS) + 0.5) / LEVELS
        seen = np.flatnonzero(stated)
        if not len(seen):
            return cls(tuple(levels.tolist()))
        blocks: list[list[float]] = []
        for level in seen.tolist():
            blocks.append([float(true[level]), float(stated[level]), 1.0])
            while (
                len(blocks) > 1 and blocks[-2][0] * blocks[-1][1] >= blocks[-1][0] * blocks[-2][1]
            ):
                hit, total, width = blocks.pop()
                blocks[-1] = [blocks[-1][0] + hit, blocks[-1][1] + total, blocks[-1][2] + width]
        shares = np.concatenate([np.full(int(width), hit / n) for hit, n, width in blocks])
        return cls(tuple(np.interp(np.arange(LEVELS), seen, shares).tolist()))


@dataclass(frozen=True, slots=True)
class Estimate:
    """An expected metric.

    Parameters
    ----------
    metric
        Its name.
    value
        What is expected if the model is as calibrated as it was.
    low, high
        Three standard deviations around it, of sampling alone.
    """

    metric: Metric
    value: float
    low: float
    high: float


def estimate_accuracy(counts: IntArray, calibrator: Calibrator) -> Estimate | None:
    """Estimate the accuracy of any classifier from the confidence in the predicted class.

    Parameters
    ----------
    counts
        `confidence_counts` of the predicted class's probability.
    calibrator
        Fitted to the same, true meaning that the predicted class was right.

    Returns
    -------
    Estimate or None
        None without predictions.

    Examples
    --------
    >>> counts = confidence_counts([0.8] * 100)
    >>> right = confidence_counts([0.8] * 75)
    >>> estimate_accuracy(counts, Calibrator.fit(counts, right)).value
    0.75
    """
    total = int(counts.sum())
    if not total:
        return None
    share = np.asarray(calibrator.share)
    mean = float(counts @ share) / total
    error = float(np.sqrt(counts @ (share * (1.0 - share)))) / total
    return _banded("accuracy", mean, error, 1.0)


def estimate_binary(
    counts: IntArray, calibrator: Calibrator, threshold: float = 0.5, draws: int = 200
) -> tuple[Estimate, ...]:
    """Estimate the metrics of a binary classifier from the probability of its positive class.

    Parameters
    ----------
    counts
        `confidence_counts` of the positive class's probability.
    calibrator
        Fitted to the same, true meaning that the class was positive.
    threshold
        From which probability on the model says positive.
    draws
        Draws of the labels for the bands.

    Returns
    -------
    tuple of Estimate
        accuracy, precision, recall, f1, roc_auc, brier and log_loss, of the stated probabilities;
        a metric that is not defined (a single class) is left out.

    Examples
    --------
    >>> counts = confidence_counts([0.1] * 500 + [0.9] * 500)
    >>> calibrator = Calibrator.fit(counts, confidence_counts([0.1] * 50 + [0.9] * 450))
    >>> [(e.metric, round(e.value, 2)) for e in estimate_binary(counts, calibrator)][:2]
    [('accuracy', 0.9), ('precision', 0.9)]
    """
    if not counts.sum():
        return ()
    share = np.clip(np.asarray(calibrator.share), 0.0, 1.0)
    expected = (counts * share)[None, :]
    # The seed is fixed, so that equal counts give equal bands.
    drawn = np.random.default_rng(0).binomial(counts, share, size=(draws, LEVELS))
    values = _binary_metrics(counts, expected, threshold)
    spread = _binary_metrics(counts, drawn.astype(np.float64), threshold)
    found = []
    for metric, value in values.items():
        if np.isfinite(value[0]):
            error = float(np.nanstd(spread[metric])) if np.isfinite(spread[metric]).any() else 0.0
            found.append(_banded(metric, float(value[0]), error, np.inf if "loss" in metric else 1))
    return tuple(found)


def _binary_metrics(
    counts: IntArray, positive: FloatArray, threshold: float
) -> dict[Metric, FloatArray]:
    """Give each metric for each row of positives by level; shape (draws,)."""
    stated = (np.arange(LEVELS) + 0.5) / LEVELS
    says = stated >= threshold
    total = counts.sum()
    negative = counts - positive
    hits, false = positive[:, says].sum(axis=1), negative[:, says].sum(axis=1)
    positives, negatives = positive.sum(axis=1), negative.sum(axis=1)
    below = np.cumsum(negative, axis=1) - negative / 2.0
    with np.errstate(invalid="ignore", divide="ignore"):
        precision, recall = hits / (hits + false), hits / positives
        return {
            "accuracy": (hits + negatives - false) / total,
            "precision": precision,
            "recall": recall,
            "f1": 2.0 * hits / (hits + false + positives),
            "roc_auc": (positive * below).sum(axis=1) / (positives * negatives),
            "brier": (positive @ (1 - stated) ** 2 + negative @ stated**2) / total,
            "log_loss": -(positive @ np.log(stated) + negative @ np.log(1 - stated)) / total,
        }


def _banded(metric: Metric, value: float, error: float, top: float) -> Estimate:
    low, high = value - _BAND_Z * error, value + _BAND_Z * error
    return Estimate(metric, value, max(low, 0.0), min(high, top))
