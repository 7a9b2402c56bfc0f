"""Going on after the store was away: from its newest checkpoint, as after a crash."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event

import structlog

from stream.clock import Clock
from stream.errors import StoreUnreachableError
from stream.line import Line
from stream.units import format_duration
from stream.worker import Worker

_log = structlog.get_logger("riverrun.worker")

_FIRST_SECONDS, _LONGEST_SECONDS = 0.25, 5.0
_LOOK_SECONDS = 0.25


def run_patiently(
    worker: Worker,
    should_stop: Callable[[], bool],
    until_caught_up: bool = False,
    on_turn: Callable[[Line], None] | None = None,
    *,
    patience: int,
    clock: Clock,
) -> None:
    """Run a worker that has started; while the store is away, try again.

    Whether a commit that was broken off took place is known by the store alone. So the worker
    forgets what it has in memory and goes on from the newest checkpoint, unless another has
    taken over meanwhile.

    Parameters
    ----------
    worker, should_stop, until_caught_up, on_turn
        As for ``Worker.run``.
    patience
        Milliseconds from the first failure, without a commit in between.
    clock
        The machine's, but in tests.

    Raises
    ------
    StoreUnreachableError
        When patience is over, or whoever asks to stop meets a store that is away. The last
        checkpoint stands.
    RiverrunError
        As ``Worker.start`` and ``Worker.run``.
    """
    outage: _Outage | None = None
    while True:
        try:
            if outage is not None:
                worker.start_again()
            return worker.run(should_stop, until_caught_up, on_turn)
        except StoreUnreachableError as error:
            if outage is None or worker.number > outage.number:
                outage = _Outage(worker.number, clock.monotonic() + patience / 1000)
                _log.error(
                    "store_unreachable", reason=str(error), patience=format_duration(patience)
                )
            if not outage.wait(should_stop, clock):
                raise


class _Outage:
    """A time without commits: since which checkpoint, and until when it is borne."""

    def __init__(self, number: int, deadline: float) -> None:
        self.number = number
        self._deadline = deadline
        self._seconds = _FIRST_SECONDS

    def wait(self, should_stop: Callable[[], bool], clock: Clock) -> bool:
        """Wait before the next attempt; return whether there is to be one."""
        until = min(clock.monotonic() + self._seconds, self._deadline)
        self._seconds = min(2 * self._seconds, _LONGEST_SECONDS)
        while not should_stop():
            left = until - clock.monotonic()
            if left <= 0:
                return until < self._deadline
            Event().wait(min(left, _LOOK_SECONDS))
        return False
