"""Progressive performance as additive counts: by model, segment and label age; and coverage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import msgspec
import numpy as np

from monitor.arrays import FloatArray, IntArray
from monitor.errors import DamagedError

# Sums of floats depend on their order; whole millionths do not, so that counts merge exactly.
UNIT = 1_000_000
LOSS_MAX = 1e9
AGES: tuple[tuple[str, float], ...] = (
    ("<1s", 1.0),
    ("<1m", 60.0),
    ("<10m", 600.0),
    ("<1h", 3600.0),
    ("<6h", 21_600.0),
    ("<1d", 86_400.0),
    ("<7d", 604_800.0),
    (">=7d", float("inf")),
)
SEGMENTS_MAX = 1000
_OTHER = "(other)"
_AGE_LIMITS = np.array([limit for _, limit in AGES])
LabelFate = Literal["orphaned", "late", "duplicate", "conflicting"]
Key = tuple[str, str, str, str]
K = TypeVar("K", bound=str)


def age_of(seconds: float) -> str:
    """Give the class of a label's age.

    Parameters
    ----------
    seconds
        From the event to its label.

    Returns
    -------
    str
        One of `AGES`.

    Examples
    --------
    >>> age_of(90.0)
    '<10m'
    """
    return next((name for name, limit in AGES if seconds < limit), AGES[-1][0])


@dataclass(frozen=True, slots=True)
class Score:
    """Labelled predictions of one cell.

    Parameters
    ----------
    count
        How many.
    loss
        Sum of their losses, in millionths.
    """

    count: int = 0
    loss: int = 0

    def __add__(self, other: Score) -> Score:
        return Score(self.count + other.count, self.loss + other.loss)

    @property
    def mean(self) -> float | None:
        """Mean loss; None without labels."""
        return self.loss / self.count / UNIT if self.count else None


@dataclass(frozen=True, slots=True)
class Performance:
    """Progressive scores; they merge by `+`, exactly.

    Parameters
    ----------
    scores
        By (model, segment's feature, segment, age class). The feature `""` is the whole stream.
        Models are the champion and the baselines, by whatever names the caller gives.
    delays
        Labels by age class.
    predictions
        Predictions made.
    fates
        Labels that found no prediction, came too late, twice, or twice and differing.

    Examples
    --------
    >>> some = score_batch({"champion": [0.5, 1.5]}, ages=[1.0, 90.0], segments={"c": ["a", "b"]})
    >>> some.mean("champion"), some.mean("champion", "c", "b")
    (1.0, 1.5)
    >>> (some + some).coverage is None, (some + Performance(predictions=4)).coverage
    (True, 0.5)
    """

    scores: Mapping[Key, Score] = field(default_factory=dict)
    delays: Mapping[str, int] = field(default_factory=dict)
    predictions: int = 0
    fates: Mapping[LabelFate, int] = field(default_factory=dict)

    def __add__(self, other: Performance) -> Performance:
        scores = dict(self.scores)
        for key, score in other.scores.items():
            scores[key] = scores.get(key, Score()) + score
        return Performance(
            scores=scores,
            delays=_added(self.delays, other.delays),
            predictions=self.predictions + other.predictions,
            fates=_added(self.fates, other.fates),
        )

    def score(
        self, model: str, feature: str = "", segment: str = "", age: str | None = None
    ) -> Score:
        """Give the score of a model in a segment.

        Parameters
        ----------
        model
            Its name.
        feature, segment
            The segment; the whole stream by default.
        age
            An age class; all by default.

        Returns
        -------
        Score
            Empty where there is none.
        """
        ages = [age] if age is not None else [name for name, _ in AGES]
        found = [self.scores.get((model, feature, segment, name), Score()) for name in ages]
        return sum(found, Score())

    def mean(self, model: str, feature: str = "", segment: str = "") -> float | None:
        """Give the mean loss of a model in a segment; None without labels."""
        return self.score(model, feature, segment).mean

    @property
    def labelled(self) -> int:
        """Predictions that have a label."""
        return sum(self.delays.values())

    @property
    def coverage(self) -> float | None:
        """Share of the predictions that have a label yet, at most 1; None without predictions.

        Labels are counted where they come: in a stretch there may be some of predictions before it.
        """
        return min(1.0, self.labelled / self.predictions) if self.predictions else None

    def delay_quantile(self, share: float) -> str | None:
        """Give the age class by which a share of the labels had come; None without labels."""
        wanted, so_far = share * self.labelled, 0
        for name, _ in AGES:
            so_far += self.delays.get(name, 0)
            if self.labelled and so_far >= wanted:
                return name
        return None

    def to_data(self) -> dict[str, Any]:
        """Give the counts as plain data."""
        return {
            "scores": [[*key, s.count, s.loss] for key, s in sorted(self.scores.items())],
            "delays": dict(sorted(self.delays.items())),
            "predictions": self.predictions,
            "fates": dict(sorted(self.fates.items())),
        }

    @classmethod
    def from_data(cls, data: object) -> Performance:
        """Read what `to_data` gave.

        Raises
        ------
        DamagedError
            Not such data.
        """
        try:
            stored = msgspec.convert(data, _Stored)
        except msgspec.ValidationError as error:
            raise DamagedError("performance", str(error)) from error
        scores = {(m, f, s, a): Score(n, loss) for m, f, s, a, n, loss in stored.scores}
        return cls(scores, stored.delays, stored.predictions, stored.fates)


class _Stored(msgspec.Struct):
    scores: list[tuple[str, str, str, str, int, int]]
    delays: dict[str, int]
    predictions: int
    fates: dict[LabelFate, int]


def _added(left: Mapping[K, int], right: Mapping[K, int]) -> dict[K, int]:
    return {key: left.get(key, 0) + right.get(key, 0) for key in {**left, **right}}


def score_batch(
    losses: Mapping[str, Sequence[float] | FloatArray],
    *,
    ages: Sequence[float] | FloatArray,
    segments: Mapping[str, Sequence[str]] | None = None,
) -> Performance:
    """Count labelled predictions.

    Parameters
    ----------
    losses
        By model, the loss of each labelled event, shape (labels,). Losses that are not finite, and
        those above a thousand million, count as a thousand million.
    ages
        Seconds from event to label, shape (labels,).
    segments
        By feature, each event's segment: the labels of its bins, so that there are not too many.
        Beyond 1,000 segments of a feature in a batch the rest is `(other)`.

    Returns
    -------
    Performance
        Of these labels alone; add it to what was.

    Examples
    --------
    >>> score_batch({"champion": [1.0]}, ages=[0.5]).score("champion").count
    1
    """
    cells = np.searchsorted(_AGE_LIMITS, np.asarray(ages, dtype=np.float64), side="right")
    cells = np.minimum(cells, len(AGES) - 1)
    whole = {model: millionths(values) for model, values in losses.items()}
    scores: dict[Key, Score] = {}
    for feature, labels in {"": [""] * len(cells), **(segments or {})}.items():
        names, codes = _coded(labels)
        cell = codes * len(AGES) + cells
        size = len(names) * len(AGES)
        counts = np.bincount(cell, minlength=size)
        for model, values in whole.items():
            sums = np.zeros(size, dtype=np.int64)
            np.add.at(sums, cell, values)
            for at in np.flatnonzero(counts).tolist():
                key = (model, feature, names[at // len(AGES)], AGES[at % len(AGES)][0])
                scores[key] = Score(int(counts[at]), int(sums[at]))
    delays = np.bincount(cells, minlength=len(AGES)).tolist()
    named = zip(AGES, delays, strict=True)
    return Performance(scores=scores, delays={name: n for (name, _), n in named if n})


def millionths(losses: Sequence[float] | FloatArray) -> IntArray:
    """Give losses as whole millionths, bounded by a thousand million."""
    x = np.nan_to_num(np.asarray(losses, np.float64), nan=LOSS_MAX, posinf=LOSS_MAX)
    return np.rint(np.clip(x, -LOSS_MAX, LOSS_MAX) * UNIT).astype(np.int64)


def _coded(labels: Sequence[str]) -> tuple[list[str], IntArray]:
    """Give each segment a number, in order; those beyond the limit share `(other)`."""
    codes: dict[str, int] = {}
    for label in labels:
        if label not in codes and len(codes) < SEGMENTS_MAX:
            codes[label] = len(codes)
    beyond = set(labels) - set(codes)
    if beyond:
        codes.setdefault(_OTHER, len(codes))
    names = list(codes)
    codes |= dict.fromkeys(beyond, codes.get(_OTHER, 0))
    return names, np.fromiter((codes[label] for label in labels), np.int64, len(labels))
