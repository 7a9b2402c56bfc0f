"""The watchdog: sees from outside that a model never ends, or eats the machine's memory."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from traceback import extract_stack
from typing import NoReturn, Self

import structlog

from stream.clock import Clock
from stream.errors import HaltedError, StoreError
from stream.line import Line
from stream.process import resident_bytes
from stream.records import Record, TopicPartition
from stream.sections import WorkerSection
from stream.step import Step
from stream.storage.store import Store
from stream.units import format_bytes

_log = structlog.get_logger("riverrun.worker")

_LOOK_SECONDS = 0.25
_LONGEST_LOOK_SECONDS = 1.0
"""A look that took longer was one of a process that stood still as a whole: it counts as this."""
_GRACE_SECONDS = 5.0
"""After which a turn that holds too much memory is not waited for."""
_GRACE_SHARE = 1.25
"""Of the limit, beyond which nothing is waited for."""

_UNFOLDED_ADVICE = (
    ". By librdkafka a compressed batch may have unfolded into it, too: kafka+python:// refuses "
    "one that does, and names it"
)

Handle = Callable[[Line, Sequence[Record], int], Step]
"""Lets a line handle records at a time of day in milliseconds."""


class Watchdog:
    """Looks four times a second at what the worker does, in a thread of its own.

    Nothing is done for an event: the line's offsets tell how far it is. Used as a context around
    the worker's loop, in its thread. ``stream.training.guard`` has the one of a training.

    Parameters
    ----------
    limits
        The section ``[worker]``.
    store
        Where it is written down why the worker ended.
    clock
        For the time of that.
    leave
        Ends the process at once, where the worker's own thread cannot.
    transport
        What carries the records: librdkafka unfolds a batch however large it becomes.
    """

    WHO = "the worker"
    STUCK_ADVICE = (
        "Everything before the last checkpoint is safe. Mend the model, and start with --rebuild, "
        "since it is another one then; or raise the limit"
    )
    CANDIDATE_ADVICE = (
        "It is a candidate's, which catches up: start again, and its training meets that event "
        "and fails; or raise the limit"
    )
    GREEDY_ADVICE = (
        "A model that grows without end needs a bound (its parameters, or another one); else raise "
        "the limit, and start again"
    )

    def __init__(
        self,
        limits: WorkerSection,
        store: Store,
        clock: Clock,
        leave: Callable[[int], NoReturn] = os._exit,
        transport: str = "",
    ) -> None:
        self._limits = limits
        self._store = store
        self._clock = clock
        self._leave = leave
        self._turn: tuple[Line, Sequence[Record]] | None = None
        self._reads_ahead = transport.startswith("librdkafka")
        self._advice = self.STUCK_ADVICE
        self._over: str | None = None
        self._thread: threading.Thread | None = None
        self._done = threading.Event()

    def __enter__(self) -> Self:
        self._watched, self._turn = threading.get_ident(), None
        self._done.clear()
        self._thread = threading.Thread(target=self._run, name="riverrun-watchdog", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        if self._thread is not None:
            self._thread.join()

    @property
    def asks(self) -> bool:
        """Whether the worker had better stop; ``check`` says why."""
        return self._over is not None

    def handle(self, handle: Handle, line: Line, records: Sequence[Record], now: int) -> Step:
        """Let the line handle records by what is given, and look on."""
        self._turn = (line, records)
        step = handle(line, records, now)
        self._turn = None
        return step

    def handle_training(self, line: Line, records: Sequence[Record]) -> Step:
        """Let a line of candidates handle records, and look on."""
        self._advice = self.CANDIDATE_ADVICE
        step = self.handle(lambda on, some, now: on.handle(some, now), line, records, 0)
        self._advice = self.STUCK_ADVICE
        return step

    def check(self) -> None:
        """Raise where the worker had better stop; asked when all is committed.

        Raises
        ------
        HaltedError
        """
        if self._over is not None:
            raise HaltedError(self._over)

    def _run(self) -> None:
        stuck = greedy = 0.0
        at: int | None = None
        before = time.monotonic()
        while not self._done.wait(_LOOK_SECONDS):
            now = time.monotonic()
            passed, before = min(now - before, _LONGEST_LOOK_SECONDS), now
            turn = self._turn
            here = None if turn is None else sum(list(turn[0].offsets.values()))
            stuck = stuck + passed if here is not None and here == at else 0.0
            at = here
            if turn is not None and 0 < self._limits.stuck_after / 1000 <= stuck:
                self._end(f"{_never_ends(*turn, stuck, self._watched)}. {self._advice}")
            if turn is not None:
                self._goes_on()
            greedy = greedy + passed if self._holds_too_much(turn) else 0.0
            if self._over is not None and greedy > _GRACE_SECONDS:
                self._end(self._over)

    def _holds_too_much(self, turn: tuple[Line, Sequence[Record]] | None) -> bool:
        limit, held = self._limits.max_memory, resident_bytes()
        if limit is None or held is None or held <= limit:
            return False
        where = "" if turn is None else f" while it handles {_next(*turn)}"
        self._over = (
            f"{self.WHO} holds {format_bytes(held)} of memory{where}, more than worker.max_memory "
            f"= {format_bytes(limit)}. {self.GREEDY_ADVICE}"
            f"{_UNFOLDED_ADVICE if self._reads_ahead else ''}"
        )
        if held > limit * _GRACE_SHARE:
            self._end(self._over)
        return True

    def _goes_on(self) -> None:
        """Hear, at each look, that a turn is under way and not over any limit."""

    def _end(self, message: str) -> None:
        """Say why, write it down where that is possible, and end the process."""
        _log.error("halted", message=message)
        with suppress(StoreError):
            self._store.record("halted", {"message": message}, self._clock.now())
        with suppress(OSError, ValueError):
            sys.stderr.write(f"error: {message}\n")
            sys.stderr.flush()
        self._leave(HaltedError.exit_code)


def _next(line: Line, records: Sequence[Record]) -> str:
    """Name the record that a line is at."""
    offsets = dict(line.offsets)
    for record in records:
        place = TopicPartition(record.topic, record.partition)
        if record.offset >= offsets.get(place, 0):
            key = (record.key or b"").decode("utf-8", "replace")[:100]
            return f"{place}:{record.offset}" + (f" (key {key!r})" if key else "")
    return "its last record"


def _never_ends(line: Line, records: Sequence[Record], seconds: float, thread: int) -> str:
    frame = sys._current_frames().get(thread)  # noqa: SLF001 - the documented way to look
    stack = extract_stack(frame) if frame is not None else []
    where = ""
    if stack:
        last = stack[-1]
        where = f", in {last.name} ({Path(last.filename).name}, line {last.lineno})"
    return (
        f"the model has been at {_next(line, records)} for {seconds:,.0f} s{where}: it seems never "
        "to end (worker.stuck_after)"
    )
