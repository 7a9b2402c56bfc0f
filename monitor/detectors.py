"""River's drift detectors by name, with one interface."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from river import drift

from monitor.arrays import FloatArray
from monitor.config import DetectorName

_MAKERS: dict[DetectorName, Callable[[], Any]] = {
    "ADWIN": drift.ADWIN,
    "DDM": drift.binary.DDM,
    "EDDM": drift.binary.EDDM,
    "HDDM_A": drift.binary.HDDMA,
    "HDDM_W": drift.binary.HDDMW,
    "PageHinkley": lambda: drift.PageHinkley(mode="up"),
    "KSWIN": lambda: drift.KSWIN(seed=0),
}
_BINARY = ("DDM", "EDDM", "HDDM_A", "HDDM_W")
_YOUNG = 50


class LossDetector:
    """A River detector on the loss that reports rises only.

    Parameters
    ----------
    name
        One of River's detectors.
    binary_above
        Detectors of errors are given `loss > binary_above`.

    Notes
    -----
    ADWIN and KSWIN also see falls. These are told apart by an exponentially weighted mean of the
    last losses, each a 50th, against the mean of all since the last detection; fewer than 50 losses
    are no rise. The object pickles with the model, as River's own do;
    its state has no other form.

    Examples
    --------
    >>> detector = LossDetector("ADWIN")
    >>> detector.update([0.0] * 500), detector.update([1.0] * 500)[0][0] < 100
    ([], True)
    """

    def __init__(self, name: DetectorName, binary_above: float = 0.5) -> None:
        self.name = name
        self.binary_above = binary_above
        self.river = _MAKERS[name]()
        self.warning = False
        self._count = 0
        self._total = 0.0
        self._recent = 0.0

    def update(self, losses: Sequence[float] | FloatArray) -> list[tuple[int, int]]:
        """Take in losses.

        Parameters
        ----------
        losses
            In order; any finite numbers.

        Returns
        -------
        list of tuple of int
            Positions at which a rise was found, and how many losses before it the change lies:
            ADWIN's window, which holds what came after the change; 0 for the others. `warning`
            then says whether any warned.
        """
        values = np.asarray(losses, dtype=np.float64).tolist()
        given = [loss > self.binary_above for loss in values] if self.name in _BINARY else values
        river, update = self.river, self.river.update
        warns = hasattr(river, "warning_detected")
        self.warning = False
        found: list[tuple[int, int]] = []
        start = 0
        for at, loss in enumerate(given):
            update(loss)
            if warns:
                self.warning |= river.warning_detected
            if river.drift_detected:
                self._follow(values[start : at + 1])
                if self._recent > self._total / self._count:
                    found.append((at, int(getattr(river, "width", 0))))
                self._count, self._total, self._recent = 1, values[at], values[at]
                start = at + 1
        self._follow(values[start:])
        return found

    def _follow(self, losses: list[float]) -> None:
        """Take losses into the mean of all and that of the last, one by one and so alike."""
        count, total, recent = self._count, self._total, self._recent
        young = max(0, _YOUNG - count)
        for loss in losses[:young]:
            count += 1
            total += loss
            recent = total / count
        rest, share = losses[young:], 1.0 / _YOUNG
        for loss in rest:
            total += loss
            recent += (loss - recent) * share
        self._count, self._total, self._recent = count + len(rest), total, recent
