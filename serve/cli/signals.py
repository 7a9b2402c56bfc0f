"""Stopping: by SIGTERM, by Ctrl-C, and with the parent process."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_STUCK_SECONDS = 20.0


@contextmanager
def stopping() -> Iterator[Callable[[], bool]]:
    """Within the block, SIGTERM and SIGINT are taken note of instead of killing.

    Yields
    ------
    Callable
        Returns whether one of them came. A second one interrupts at once.
    """
    asked = False

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        # A plain flag: an Event's lock may be held by the very thread that this interrupts.
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    before = {number: signal.signal(number, on_signal) for number in _SIGNALS}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def stop_with_parent() -> None:
    """Stop this process when its standard input ends: the parent held the other end.

    So that nothing is orphaned when the parent is killed. It is told as by SIGTERM first, and
    ended hard when it does not listen.
    """
    threading.Thread(target=_watch_parent, name="parent-watch", daemon=True).start()


def _watch_parent() -> None:
    while os.read(0, 1_024):
        pass
    # Nobody reads what is printed any more; a broken pipe must not spoil the last commit.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_STUCK_SECONDS)
    os._exit(1)


_SIGNALS = (signal.SIGTERM, signal.SIGINT)
