"""Where a worker's time goes, and what it holds: for the status, never for a decision."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path
from typing import Any

from stream.clock import Clock

STAGES = ("poll", "handle", "publish", "checkpoint")
"""Waiting for records; decoding, predicting, learning, watching; handing predictions and dead
letters over; making all of it durable."""

_STATM = Path("/proc/self/statm")


class Telemetry:
    """Seconds by stage since the process began.

    Parameters
    ----------
    clock
        Measures them.

    Attributes
    ----------
    seconds
        By stage.

    Examples
    --------
    >>> from stream.clock import SystemClock
    >>> telemetry = Telemetry(SystemClock())
    >>> telemetry.begin()
    >>> waited = telemetry.lap("poll")
    >>> telemetry.seconds["poll"] == waited
    True
    """

    def __init__(self, clock: Clock) -> None:
        self.seconds = dict.fromkeys(STAGES, 0.0)
        self._clock = clock
        self._started_at = clock.now()
        self._since = clock.monotonic()
        self._checkpoints = 0

    def begin(self) -> None:
        """Begin to measure the next stage."""
        self._since = self._clock.monotonic()

    def lap(self, stage: str) -> float:
        """Add the time since the last lap, or the beginning, to a stage; return it."""
        now = self._clock.monotonic()
        took, self._since = now - self._since, now
        self.spent(stage, took)
        return took

    def spent(self, stage: str, seconds: float) -> None:
        """Add time that a stage took."""
        self.seconds[stage] += seconds
        self._checkpoints += stage == "checkpoint"

    def told(self) -> dict[str, Any]:
        """Return all of it as plain data; counters begin anew with each process."""
        return {
            "started_at": self._started_at,
            "stages": {stage: round(seconds, 4) for stage, seconds in self.seconds.items()},
            "checkpoints": self._checkpoints,
            "memory_bytes": memory_bytes(),
        }


def memory_bytes() -> int:
    """Return the resident memory of this process; where that cannot be asked, its largest so far.

    Examples
    --------
    >>> memory_bytes() > 1_000_000
    True
    """
    try:
        pages = int(_STATM.read_text().split()[1])
    except (OSError, ValueError, IndexError):
        largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return largest if sys.platform == "darwin" else 1024 * largest
    return pages * os.sysconf("SC_PAGE_SIZE")
