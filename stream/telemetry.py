"""Where a worker's time goes, and what it holds: for the status, never for a decision."""

from __future__ import annotations

import os
import socket
from typing import Any

from stream.clock import Clock
from stream.process import resident_bytes

STAGES = ("poll", "handle", "publish", "checkpoint")
"""Waiting for records; decoding, predicting, learning, watching; handing predictions and dead
letters over; making all of it durable."""


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
    records, idle
        Records polled; and the seconds of polls that brought none, which are part of ``poll``.

    Examples
    --------
    >>> from stream.clock import SystemClock
    >>> telemetry = Telemetry(SystemClock())
    >>> telemetry.begin()
    >>> telemetry.polled(records=0)
    >>> telemetry.seconds["poll"] == telemetry.idle
    True
    """

    def __init__(self, clock: Clock) -> None:
        self.seconds = dict.fromkeys(STAGES, 0.0)
        self.records = 0
        self.idle = 0.0
        self._clock = clock
        self._started_at = clock.now()
        self._since = clock.monotonic()
        self._checkpoints = 0
        self._about = {"pid": os.getpid(), "host": socket.gethostname()}

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

    def polled(self, records: int) -> None:
        """Take note that a poll is over, and what it brought."""
        took = self.lap("poll")
        self.records += records
        self.idle += 0.0 if records else took

    def told(self) -> dict[str, Any]:
        """Return all of it as plain data; counters begin anew with each process."""
        return self._about | {
            "started_at": self._started_at,
            "stages": {stage: round(seconds, 4) for stage, seconds in self.seconds.items()},
            "records": self.records,
            "idle_seconds": round(self.idle, 3),
            "checkpoints": self._checkpoints,
            "memory_bytes": resident_bytes(),
        }
