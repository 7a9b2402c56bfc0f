"""The clock that the shell is given; tests give it another."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time of day and measures spans."""

    def now(self) -> float:
        """Return the time of day in seconds since the epoch."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        """Return the time of day in seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()
