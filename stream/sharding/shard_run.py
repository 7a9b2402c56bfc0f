"""One shard at work, in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread

import structlog

from stream.errors import FencedError

Work = Callable[[int, Callable[[], bool]], None]
"""Works on a shard of a number until what it is given says that it should stop."""


class ShardLostError(Exception):
    """Somebody else has the shard now: nothing of it is to be written here any more."""


class ShardRun:
    """A shard that is worked on.

    Parameters
    ----------
    number, name
        Of the shard.
    work
        Done in the thread.

    Attributes
    ----------
    error
        What ended it, where it was not asked to stop and is not done.
    """

    def __init__(self, number: int, name: str, work: Work) -> None:
        self.number = number
        self.error: BaseException | None = None
        self._name = name
        self._work = work
        self._stop = Event()
        self._is_lost = False
        self._thread = Thread(target=self._run, name=f"riverrun-shard-{name}", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether it still works."""
        return self._thread.is_alive()

    @property
    def was_stopped(self) -> bool:
        """Whether somebody asked it to."""
        return self._stop.is_set() or self._is_lost

    @property
    def is_fenced(self) -> bool:
        """Whether it ended because somebody else claimed the shard."""
        return isinstance(self.error, FencedError)

    def stop(self) -> None:
        """Ask it to finish its turn, commit and end."""
        self._stop.set()

    def abandon(self) -> None:
        """Ask it to end as it is, without a word to the store."""
        self._is_lost = True

    def join(self) -> None:
        """Wait until it has ended."""
        self._thread.join()

    def _should_stop(self) -> bool:
        if self._is_lost:
            raise ShardLostError(self._name)
        return self._stop.is_set()

    def _run(self) -> None:
        structlog.contextvars.bind_contextvars(shard=self._name)
        try:
            self._work(self.number, self._should_stop)
        except ShardLostError:
            pass
        except BaseException as error:  # noqa: BLE001 - the thread that looks after it raises it
            if not self._is_lost:
                self.error = error
