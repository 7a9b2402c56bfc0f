"""What bounds a training: the watchdog in its process, and signs of life for the worker."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import structlog

from stream.clock import Clock
from stream.errors import StoreError
from stream.sections import WorkerSection
from stream.storage.store import Store
from stream.training.job import Job
from stream.watchdog import Watchdog

_log = structlog.get_logger("riverrun.training")


class TrainingWatchdog(Watchdog):
    """Ends a training that never ends with an event, or holds too much memory; its run has failed.

    Parameters
    ----------
    limits
        The section ``[worker]``: they hold for each process.
    store
        Where it is told why the training failed.
    clock
        For the time of that.
    job
        Whose training it is.
    sign
        Gives a sign of life, while events are handled.
    leave
        Ends the process at once.
    """

    WHO = "the training"
    CANDIDATE_ADVICE = "Mend the candidate, or raise the limit"
    GREEDY_ADVICE = (
        "A candidate that grows without end needs a bound (its parameters, or another one); else "
        "raise the limit"
    )

    def __init__(
        self,
        limits: WorkerSection,
        store: Store,
        clock: Clock,
        job: Job,
        sign: Callable[[], None],
        leave: Callable[[int], NoReturn] = os._exit,
    ) -> None:
        super().__init__(limits, store, clock, leave)
        self._job = job
        self._sign = sign

    def _goes_on(self) -> None:
        self._sign()

    def _end(self, message: str) -> None:
        reason = {"reason": message.removesuffix(".")}
        run, epoch = self._job.run, self._job.epoch
        with suppress(StoreError):  # then the worker sees that the process has ended
            self._store.runs.tell_training(run, epoch, "failed", reason, self._clock.now())
        self._leave(1)


class SignsOfLife:
    """A pipe on which a process says that it goes on.

    Parameters
    ----------
    pipe
        Its writing end; never waited for.

    Examples
    --------
    >>> import os
    >>> reading, writing = os.pipe()
    >>> SignsOfLife(writing).give()
    >>> os.read(reading, 100)
    b'.'
    """

    def __init__(self, pipe: int) -> None:
        os.set_blocking(pipe, False)
        self._pipe = pipe

    def give(self) -> None:
        """Give one. Where nobody reads them, nothing happens."""
        with suppress(OSError):
            os.write(self._pipe, b".")


def be_the_first_to_go() -> None:
    """Let the system take this process before any other where memory runs out (Linux)."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
