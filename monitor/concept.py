"""Concept drift: a rise of the loss, by an anytime-valid test and by a River detector."""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import Any

import msgspec
import numpy as np

from monitor.arrays import FloatArray
from monitor.betting import BettingState, bet
from monitor.config import ConceptConfig
from monitor.detectors import LossDetector
from monitor.drift import ConceptDrift
from monitor.errors import DamagedError

_MEAN_ERRORS = 2.0
_CLIP_QUANTILE = 0.999
_TIMES_KEPT = 2048


class _Stored(msgspec.Struct):
    learning: list[float]
    scale: float
    betting: BettingState | None
    level: float
    worst: float
    times: list[float]


class ConceptMonitor:
    """Watches the losses of one model.

    The first losses, or those given to `fit`, set the reference mean. From then on the
    anytime-valid test keeps to its budget as long as the mean loss, given all that came before, is
    at most that mean, raised by the tolerance and two standard errors. Losses above the reference's
    99.9 % quantile count as that.

    Parameters
    ----------
    config
        Budget, detector, tolerance.
    detector
        A live River detector to go on with; default a new one, if one is configured.

    Examples
    --------
    >>> monitor = ConceptMonitor(ConceptConfig(detector=None))
    >>> monitor.observe([0.0, 0.0, 0.0, 1.0] * 500, np.arange(2000.0))
    ()
    >>> drifts = monitor.observe([0.0, 1.0] * 500, np.arange(2000.0, 3000.0))
    >>> [(drift.by, 1990 < drift.since_time < 2050) for drift in drifts]
    [('betting', True)]
    """

    def __init__(
        self, config: ConceptConfig | None = None, detector: LossDetector | None = None
    ) -> None:
        self.config = config or ConceptConfig()
        self._budget = self.config.budget
        name = self.config.detector
        if detector is None and name is not None:
            detector = LossDetector(name, self.config.binary_above)
        self.detector = detector
        self._learning: list[float] = []
        self._betting: BettingState | None = None
        self._scale = 1.0
        self._worst = 0.0
        self._times = np.zeros(0)
        self.level = 0.0

    def fit(self, losses: Sequence[float] | FloatArray) -> ConceptMonitor:
        """Set the reference mean.

        Parameters
        ----------
        losses
            Of the model that is watched, on events it had not learned from; not negative.

        Returns
        -------
        ConceptMonitor
            This object.
        """
        reference = _sound(losses)
        top = float(reference.max(initial=0.0))
        self._scale = 1.0
        if top > 1.0:
            self._scale = float(np.quantile(reference, _CLIP_QUANTILE)) or top
        x = np.minimum(reference / self._scale, 1.0)
        error = x.std() / np.sqrt(max(len(x), 1)) if len(x) > 1 else 0.5
        # With no loss at all among n, the mean may still be about 3 / n (Hanley 1983, JAMA 249).
        least = 3.0 / max(len(x), 3)
        mean = max(float(x.mean()) if len(x) else 0.0, least)
        mean = mean * (1.0 + self.config.tolerance) + _MEAN_ERRORS * float(error)
        self._betting = BettingState(min(mean, 0.999))
        self._learning = []
        self.level = 0.0
        return self

    def reset(self) -> None:
        """Forget the reference, for a newly promoted model; the next losses set it anew."""
        self._betting = None
        self._learning = []
        self._worst = self.level = 0.0
        if self.detector is not None:
            self.detector = LossDetector(self.detector.name, self.detector.binary_above)

    def observe(
        self, losses: Sequence[float] | FloatArray, times: Sequence[float] | FloatArray
    ) -> tuple[ConceptDrift, ...]:
        """Take in losses as their labels arrive.

        Parameters
        ----------
        losses
            Not negative, shape (losses,); what is not finite is left out.
        times
            Event times in seconds, shape (losses,).

        Returns
        -------
        tuple of ConceptDrift
            In order. After one by betting the reference is set anew.
        """
        x = np.asarray(losses, dtype=np.float64)
        good = np.isfinite(x)
        x, when = np.maximum(x[good], 0.0), np.asarray(times, dtype=np.float64)[good]
        found = self._ask_detector(x, when)
        while len(x):
            if self._betting is None:
                room = self.config.reference_losses - len(self._learning)
                self._learning += x[:room].tolist()
                x, when = x[room:], when[room:]
                if len(self._learning) >= self.config.reference_losses:
                    self.fit(self._learning)
                continue
            scaled = np.minimum(x / self._scale, 1.0)
            state, rise, used = bet(self._betting, scaled, when, 1.0 / self._budget)
            self._betting = state
            self.level = state.evidence / -log(self._budget)
            if rise is not None:
                since = rise.since_time if rise.since else float(when[0])
                found.append(ConceptDrift("betting", rise.at_time, since, rise.at - rise.since))
                self._worst, self.level, self._betting = 1.0, 0.0, None
            x, when = x[used:], when[used:]
        return tuple(sorted(found, key=lambda drift: drift.at_time))

    def _ask_detector(self, x: FloatArray, when: FloatArray) -> list[ConceptDrift]:
        if self.detector is None or not len(x):
            return []
        found = []
        times = np.concatenate([self._times, when])
        for at, width in self.detector.update(x):
            now = len(self._times) + at
            since = max(0, now - width)
            found.append(
                ConceptDrift(
                    self.detector.name, float(times[now]), float(times[since]), now - since
                )
            )
            self._worst = 1.0
        self._times = times[-_TIMES_KEPT:]
        if self.detector.warning:
            self._worst = max(self._worst, 0.5)
        return found

    def take_level(self) -> float:
        """Give the evidence as it stands; 1 where there was a detection since the last call."""
        worst, self._worst = max(self._worst, min(self.level, 1.0)), 0.0
        return worst

    def snapshot(self) -> dict[str, Any]:
        """Give the state as plain data; the River detector, which has no such form, is left out."""
        stored = _Stored(
            self._learning, self._scale, self._betting, self.level, self._worst,
            self._times.tolist(),
        )  # fmt: skip
        data: dict[str, Any] = msgspec.to_builtins(stored)
        return data

    @classmethod
    def restore(
        cls, data: object, config: ConceptConfig, detector: LossDetector | None = None
    ) -> ConceptMonitor:
        """Go on from a snapshot.

        Parameters
        ----------
        data
            What `snapshot` gave.
        config
            As before.
        detector
            The live detector that was kept beside the snapshot; without it a new one begins.

        Returns
        -------
        ConceptMonitor
            In the state of the snapshot.

        Raises
        ------
        DamagedError
            Not a snapshot.
        """
        try:
            stored = msgspec.convert(data, _Stored)
        except msgspec.ValidationError as error:
            raise DamagedError("concept snapshot", str(error)) from error
        monitor = cls(config, detector)
        monitor._learning = stored.learning
        monitor._scale = stored.scale
        monitor._betting = stored.betting
        monitor.level = stored.level
        monitor._worst = stored.worst
        monitor._times = np.array(stored.times, dtype=np.float64)
        return monitor


def _sound(losses: Sequence[float] | FloatArray) -> FloatArray:
    x = np.asarray(losses, dtype=np.float64)
    return np.maximum(x[np.isfinite(x)], 0.0)
