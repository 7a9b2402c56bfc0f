"""How fast the demo's clock may run: seconds of work are not to be days of flights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stream.storage.store import Store

SLOW = 0.05
"""Share of its pace at which the replay goes on while a challenger is trained."""

FAR_BEHIND = 4_000
"""Messages: a worker that has more of them to read is waited for."""

_FEW = 200


class Pace:
    """The replay's own clock: it waits for a slow worker, and goes slower for a training.

    In production a training of seconds takes seconds of the stream. At a day a second it would
    take days, the challenger would be late for what it was trained for, and nobody would see it
    decided. A training that waits for more labelled events does not slow the replay down. A worker
    that cannot keep up with a year in minutes is not left weeks behind either: the clock stands
    until it has read what there is, so that a slow machine shows the same as a fast one, later.

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
    stands
        Whether the replay waits for the worker.
    """

    def __init__(self, store: Store, min_events: int, now: float) -> None:
        self.played = 0.0
        self.slowed: str | None = None
        self.stands = False
        self._store = store
        self._min_events = min_events
        self._now = now

    def tick(self, now: float) -> float:
        """Go on to a moment; return the seconds played."""
        if not self.stands:
            self.played += (now - self._now) * (1.0 if self.slowed is None else SLOW)
        self._now = now
        return self.played

    def look(self, status: Mapping[str, Any] | None, unread: int) -> None:
        """Take note of how far the worker is, and of whether a training runs.

        Parameters
        ----------
        status
            Of the newest checkpoint, or None.
        unread
            Messages that were sent and that it does not have.

        Raises
        ------
        StoreUnreachableError
        """
        self.stands = unread > FAR_BEHIND
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
