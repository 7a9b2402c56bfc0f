"""Where a worker's time goes, and what it holds: for the status, never for a decision."""

from __future__ import annotations

import os
import socket
from typing import Any

from stream.process import resident_bytes

STAGES = ("poll", "handle", "publish", "checkpoint")
"""Waiting for records; decoding, predicting, learning, watching; handing predictions and dead
letters over; making all of it durable."""


class Telemetry:
    """Seconds by stage since the process began.

    Parameters
    ----------
    started_at
        Seconds since the epoch.

    Examples
    --------
    >>> telemetry = Telemetry(started_at=0.0)
    >>> telemetry.polled(0.25, records=9); telemetry.polled(0.5, records=0)
    >>> telemetry.told()["stages"]["poll"]
    0.75

    Attributes
    ----------
    seconds
        By stage, since the process began.
    records, idle
        Handled since; and the seconds of polls that found none, which are part of ``poll``.
    """

    def __init__(self, started_at: float) -> None:
        self._started_at = started_at
        self.seconds = dict.fromkeys(STAGES, 0.0)
        self._checkpoints = 0
        self._about = {"pid": os.getpid(), "host": socket.gethostname()}
        self.records = 0
        self.idle = 0.0

    def spent(self, stage: str, seconds: float) -> None:
        """Add time that a stage took."""
        self.seconds[stage] += seconds
        self._checkpoints += stage == "checkpoint"

    def polled(self, seconds: float, records: int) -> None:
        """Add the time of a poll, and what it brought."""
        self.spent("poll", seconds)
        self.records += records
        self.idle += 0.0 if records else seconds

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
