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
_RECENT = 0.02


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
    last losses against the mean of all. The object pickles with the model, as River's own do;
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
        self._mean = 0.0
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
        found: list[tuple[int, int]] = []
        binary = self.name in _BINARY
        self.warning = False
        for at, loss in enumerate(np.asarray(losses, dtype=np.float64).tolist()):
            self._count += 1
            self._mean += (loss - self._mean) / self._count
            self._recent += (loss - self._recent) * max(_RECENT, 1.0 / self._count)
            self.river.update(loss > self.binary_above if binary else loss)
            self.warning |= bool(getattr(self.river, "warning_detected", False))
            if self.river.drift_detected:
                if self._recent > self._mean:
                    found.append((at, int(getattr(self.river, "width", 0))))
                self._count, self._mean, self._recent = 1, loss, loss
        return found
