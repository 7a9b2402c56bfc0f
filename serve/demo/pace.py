"""How fast the demo's clock may run: seconds of training are not to be days of flights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stream.storage.store import Store

SLOW = 0.05
"""Share of its pace at which the replay goes on while a challenger is trained."""

_FEW = 200


class Pace:
    """The replay's own clock: it slows down while a training has something left to learn.

    In production a training of seconds takes seconds of the stream. At a day a second it would
    take days, the challenger would be late for what it was trained for, and nobody would see it
    decided. A training that waits for more labelled events does not slow the replay down.

    Parameters
    ----------
    store
        Says how far a training is.
    min_events
        Labelled events that a training needs (retrain.min_events).
    now
        Seconds on a monotonic clock.

    Attributes
    ----------
    played
        Seconds that the replay has run at its full pace.
    slowed
        The version that the replay is slowed down for, or None.
    """

    def __init__(self, store: Store, min_events: int, now: float) -> None:
        self.played = 0.0
        self.slowed: str | None = None
        self._store = store
        self._min_events = min_events
        self._now = now

    def tick(self, now: float) -> float:
        """Go on to a moment; return the seconds played."""
        self.played += (now - self._now) * (1.0 if self.slowed is None else SLOW)
        self._now = now
        return self.played

    def look(self, status: Mapping[str, Any] | None) -> None:
        """Take note of whether a training runs.

        Raises
        ------
        StoreUnreachableError
        """
        run = ((status or {}).get("retrain") or {}).get("run")
        self.slowed = None
        if run is None or run["phase"] != "training":
            return
        training = self._store.runs.training(run["number"])
        progress = {} if training is None else training.progress
        is_waiting = (
            training is not None
            and training.state == "running"
            and progress.get("learned", self._min_events) < self._min_events
            and progress.get("left", _FEW) < _FEW
        )
        if not is_waiting:
            self.slowed = run["version"]
