"""The losses of two models on the same labels: the one that serves, and the frozen one."""

from __future__ import annotations

import msgspec

from monitor.arrays import FloatArray
from monitor.performance import UNIT, millionths


class Beside(msgspec.Struct, frozen=True):
    """Sums of losses; they merge by ``+``, exactly.

    Parameters
    ----------
    labels
        How many.
    model, frozen
        Sums of losses, in millionths.

    Examples
    --------
    >>> import numpy as np
    >>> some = Beside.of(np.array([0.25, 0.0]), np.array([0.5, 0.5]))
    >>> (some + some).labels, (some + some).means()
    (4, {'model': 0.125, 'frozen': 0.5})
    """

    labels: int = 0
    model: int = 0
    frozen: int = 0

    @classmethod
    def of(cls, model: FloatArray, frozen: FloatArray) -> Beside:
        """Add up losses, shape (labels,) each."""
        return cls(len(model), int(millionths(model).sum()), int(millionths(frozen).sum()))

    def __add__(self, other: Beside) -> Beside:
        return Beside(
            self.labels + other.labels, self.model + other.model, self.frozen + other.frozen
        )

    def means(self) -> dict[str, float | None]:
        """Return the mean loss of each; None without labels."""
        n = self.labels * UNIT
        return {"model": self.model / n if n else None, "frozen": self.frozen / n if n else None}
