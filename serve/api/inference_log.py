"""Recording what was served: a bounded queue and one thread that appends it to the log.

A prediction never waits for the log, and never fails with it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from threading import Condition, Thread
from typing import Literal

import structlog

from stream.errors import RecordTooLargeError
from stream.log import Sink
from stream.records import NewRecord

_log = structlog.get_logger("riverrun.api")

_BATCH = 500
_LINGER_SECONDS = 0.05  # fewer, larger appends: each costs a write to the disk
_APPEND_SECONDS = 30.0
_PROBE_SECONDS = 2.0
_SHORTEST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.1, 5.0


class InferenceLog:
    """Appends served events in order, in the background.

    When the queue is full it sheds the newest: what was promised first is kept, and the answer of
    what is shed says so. Or the oldest, where what is recent matters more; its answer had promised
    a record. A log that fails is tried again with growing pauses; meanwhile ``trouble`` says why.

    Parameters
    ----------
    sink
        Where to.
    capacity
        Records that may wait, those being appended included.
    probe
        Raises where the log would not accept; called when nothing was appended for a while.
    stream
        Named in logs.
    shed
        Which record is not appended where the queue is full.
    dropped
        Told of each record that was taken, and shed for a newer one.
    durable
        Told of records that are on the log, in the thread that appends.

    Attributes
    ----------
    appended, shed, lost
        Records that are durable; that found the queue full; that were taken and could not be
        written.
    trouble
        Why the log does not accept, or None.

    Examples
    --------
    >>> from stream.logs.memory_log import MemoryLog
    >>> log = MemoryLog(clock=lambda: 0)
    >>> served = InferenceLog(log.sink(), 1, probe=lambda: None, stream="flights")
    >>> served.offer(NewRecord("flights.events", b"1", b"{}"))
    True
    >>> served.offer(NewRecord("flights.events", b"2", b"{}")), served.shed
    (False, 1)
    >>> served.start(); served.stop(grace_seconds=5)
    >>> served.appended, served.lost
    (1, 0)
    """

    def __init__(
        self,
        sink: Sink,
        capacity: int,
        *,
        probe: Callable[[], None],
        stream: str,
        shed: Literal["newest", "oldest"] = "newest",
        dropped: Callable[[NewRecord], object] | None = None,
        durable: Callable[[Sequence[NewRecord]], object] | None = None,
    ) -> None:
        self.appended = 0
        self.shed = 0
        self.lost = 0
        self.trouble: str | None = None
        self.capacity = capacity
        self._sink = sink
        self._probe = probe
        self._log = _log.bind(stream=stream)
        self._queue: deque[NewRecord] = deque()
        self._appending = 0
        self._sheds_oldest = shed == "oldest"
        self._dropped = dropped
        self._durable = durable
        self._changed = Condition()
        self._deadline: float | None = None
        self._thread: Thread | None = None

    def __len__(self) -> int:
        return len(self._queue)

    def offer(self, record: NewRecord) -> bool:
        """Take a record, or shed it: at once, without waiting for the log."""
        with self._changed:
            full = len(self._queue) >= self.capacity
            if full or self._deadline is not None:
                self.shed += 1
                # What is being appended cannot be taken back.
                if self._deadline is not None or not self._sheds_oldest:
                    return False
                if self._appending >= len(self._queue):
                    return False
                if self._dropped is not None:
                    self._dropped(self._queue[self._appending])
                del self._queue[self._appending]
            self._queue.append(record)
            if len(self._queue) in (1, _BATCH):  # to wake the thread for each would cost more
                self._changed.notify()
        return True

    def start(self) -> None:
        """Ask the log whether it accepts, and begin to append."""
        self._deadline = None
        self._ask()
        self._thread = Thread(target=self._run, name="riverrun-inference-log", daemon=True)
        self._thread.start()

    def stop(self, grace_seconds: float) -> None:
        """Append what waits, for at most so long; count what is left as lost. May be repeated."""
        if self._thread is None:
            return
        with self._changed:
            self._deadline = time.monotonic() + grace_seconds
            self._changed.notify_all()
        self._thread.join(grace_seconds)
        self._thread = None
        with self._changed:
            left = len(self._queue)
            self.lost += left
            self._queue.clear()
        if left:
            self._log.error("predictions_lost", count=left, reason=self.trouble)

    def _run(self) -> None:
        while (batch := self._next_batch()) is not None:
            if not batch:
                self._ask()
            elif not self._append_until_done(batch):
                return

    def _next_batch(self) -> list[NewRecord] | None:
        """Wait for records; return none after a quiet while, None when all is done."""
        with self._changed:
            if not self._queue and self._deadline is None:
                self._changed.wait(_PROBE_SECONDS)
            if self._queue and self._deadline is None and len(self._queue) < _BATCH:
                self._changed.wait(_LINGER_SECONDS)
            if not self._queue and self._deadline is not None:
                return None
            self._appending = min(len(self._queue), _BATCH)
            return list(islice(self._queue, _BATCH))

    def _append_until_done(self, batch: list[NewRecord]) -> bool:
        """Append a batch, again and again if need be; return False when the grace is over."""
        pause = _SHORTEST_PAUSE_SECONDS
        while True:
            try:
                lost = self._append(batch)
            except Exception as error:  # noqa: BLE001 - a client library may raise anything
                self._note(str(error) or type(error).__name__)
            else:
                self._note(None)
                self._drop(len(batch), lost)
                if self._durable is not None and not lost:
                    self._durable(batch)
                return True
            with self._changed:
                self._changed.wait_for(lambda: self._deadline is not None, pause)
                if self._deadline is not None:
                    if time.monotonic() >= self._deadline:
                        return False
                    # A wait for the stop would end at once now, and the loop would spin.
                    self._changed.wait(_SHORTEST_PAUSE_SECONDS)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def _append(self, batch: list[NewRecord]) -> int:
        """Append a batch and wait until it is durable; return how many the log will never take."""
        try:
            self._sink.append(batch).offsets(_APPEND_SECONDS)
        except RecordTooLargeError as error:
            if len(batch) == 1:
                self._log.error("prediction_too_large", reason=str(error))
                return 1
            # Those before it may stand on the log already: the worker drops repeated ids.
            return sum(self._append([record]) for record in batch)
        return 0

    def _drop(self, count: int, lost: int) -> None:
        with self._changed:
            for _ in range(min(count, len(self._queue))):
                self._queue.popleft()
            self._appending = 0
            self.appended += count - lost
            self.lost += lost

    def _ask(self) -> None:
        try:
            self._probe()
        except Exception as error:  # noqa: BLE001 - as above
            self._note(str(error) or type(error).__name__)
        else:
            self._note(None)

    def _note(self, trouble: str | None) -> None:
        if trouble is not None and self.trouble is None:
            self._log.error("log_unreachable", reason=trouble)
        elif trouble is None and self.trouble is not None:
            self._log.info("log_reachable_again")
        self.trouble = trouble
