"""Whether the worker's loops go round."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from stream.sharding.shard_run import Work

_AT_LEAST_SECONDS = 60.0

Asked = Callable[[], bool]


class Pulse:
    """Notes when each loop asked last whether it is to stop, which it does once a turn.

    It does so while it waits for a store or a broker, too: who waits is alive. A worker of a
    divided stream has a loop for each shard that it works on, beside that of the crew.

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
        self._shards: dict[int, float] = {}

    def heard_in(self, asked: Asked) -> Asked:
        """Return a function that answers as ``asked`` does, and is a beat of the worker's loop."""

        def beat() -> bool:
            self._at = self._monotonic()
            return asked()

        return beat

    def heard_in_shards(self, work: Work) -> Work:
        """Return work on a shard whose loop is heard, too, from its beginning to its end."""

        def heard(number: int, should_stop: Asked) -> None:
            with self._shard(number, should_stop) as asks:
                work(number, asks)

        return heard

    @contextmanager
    def _shard(self, number: int, asked: Asked) -> Iterator[Asked]:
        # A shard that was just given loads its checkpoint first: its time runs from here.
        self._shards[number] = self._monotonic()

        def beat() -> bool:
            self._shards[number] = self._monotonic()
            return asked()

        try:
            yield beat
        finally:
            del self._shards[number]

    @property
    def trouble(self) -> str | None:
        """Why the worker is not alive, or None."""
        if self._at is None:
            return "the worker has not begun its first turn"
        now = self._monotonic()
        loops = {"the worker": self._at}
        # A copy in one step: the shards' threads come and go meanwhile.
        loops |= {f"shard {number}": at for number, at in sorted(self._shards.copy().items())}
        stuck = [
            f"{name} has been in one turn for {now - at:,.0f} s"
            for name, at in loops.items()
            if now - at > self._limit
        ]
        return "; ".join(stuck) or None
