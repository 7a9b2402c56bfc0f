"""How many records a worker takes at a time."""

from __future__ import annotations

_SECONDS = 0.25
_SMALLEST, _LARGEST = 16, 2_000


class TurnSize:
    """Keeps a turn near a quarter of a second, so that a slow model still stops in time.

    Attributes
    ----------
    records
        To take next.

    Examples
    --------
    >>> size = TurnSize()
    >>> size.fit(handled=16, seconds=0.001)
    >>> size.records
    32
    >>> size.fit(handled=32, seconds=2.0)
    >>> size.records
    16
    """

    def __init__(self) -> None:
        self.records = _SMALLEST

    def fit(self, handled: int, seconds: float) -> None:
        """Take note of how long so many records took."""
        fitting = int(handled * _SECONDS / max(seconds, 1e-6))
        self.records = min(_LARGEST, max(_SMALLEST, min(fitting, 2 * self.records)))
