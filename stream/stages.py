"""Where a worker's time goes: seconds by stage, and the memory that it has."""

from __future__ import annotations

import os
import socket
from typing import Any

from stream.process import resident_bytes

STAGES = ("poll", "handle", "publish", "commit")
"""In the order that a record passes them."""


class Stages:
    """Seconds that a worker spent, by stage, since it started.

    Attributes
    ----------
    records
        Handled since the start.

    Examples
    --------
    >>> stages = Stages()
    >>> stages.add("handle", 0.25)
    >>> stages.records = 1000
    >>> stages.summary(idle=2.0)["seconds"]["handle"]
    0.25
    """

    def __init__(self) -> None:
        self.records = 0
        self._seconds = dict.fromkeys(STAGES, 0.0)
        self._about = {"pid": os.getpid(), "host": socket.gethostname()}

    def add(self, stage: str, seconds: float) -> None:
        """Count some time."""
        self._seconds[stage] += seconds

    def summary(self, idle: float) -> dict[str, Any]:
        """Return it as plain data.

        Parameters
        ----------
        idle
            Seconds in polls that found nothing.
        """
        return self._about | {
            "records": self.records,
            "seconds": {name: round(spent, 4) for name, spent in self._seconds.items()},
            "idle_seconds": round(idle, 3),
            "memory_bytes": resident_bytes(),
        }
