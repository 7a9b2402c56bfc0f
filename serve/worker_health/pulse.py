"""Whether the worker's loop goes round."""

from __future__ import annotations

from collections.abc import Callable

_AT_LEAST_SECONDS = 60.0


class Pulse:
    """Notes when the loop asked last whether it is to stop, which it does once a turn.

    It does so while it waits for a store or a broker, too: who waits is alive.

    Parameters
    ----------
    stuck_after
        ``worker.stuck_after``, in milliseconds. The watchdog, which names the event that is too
        much, comes a minute before the pulse is missed; where it never comes, nor is the pulse.
    monotonic
        Seconds that only rise.
    """

    def __init__(self, stuck_after: int, monotonic: Callable[[], float]) -> None:
        self._limit = stuck_after / 1_000 + _AT_LEAST_SECONDS if stuck_after else float("inf")
        self._monotonic = monotonic
        self._at: float | None = None

    def heard_in(self, asked: Callable[[], bool]) -> Callable[[], bool]:
        """Return a function that answers as ``asked`` does, and is a beat of the pulse."""

        def beat() -> bool:
            self._at = self._monotonic()
            return asked()

        return beat

    @property
    def trouble(self) -> str | None:
        """Why the worker is not alive, or None."""
        if self._at is None:
            return "the worker has not begun its first turn"
        silent = self._monotonic() - self._at
        if silent > self._limit:
            return f"the worker has been in one turn for {silent:,.0f} s"
        return None
