"""A courier: takes messages from the outbox and delivers them, in a thread of its own."""

from __future__ import annotations

import random
from collections.abc import Callable
from threading import Event, Thread

import structlog

from serve.notify.receiver import Receiver, RefusedError, UndeliveredError
from stream.clock import Clock
from stream.errors import StoreError
from stream.storage.outbox import PAGE, Outbox, Waiting

_log = structlog.get_logger("riverrun.notify")

POLL_SECONDS = 1.0
FIRST_SECONDS, LONGEST_SECONDS = 1.0, 300.0
REPEAT_SECONDS = 60.0
_AT_ONCE = 100


def _jitter() -> float:
    return random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries, hides nothing


class Courier:
    """Delivers the messages of one receiver in order, until told to stop.

    Nothing here can fail the worker: every error is counted, logged and tried again later. What is
    not delivered when it stops waits in the store for the next one.

    Parameters
    ----------
    outbox
        The stream's.
    receiver
        Who is told.
    clock
        For ages and for the spacing of repeats.
    max_age_seconds
        A message that could not be delivered for so long is given up.
    queue
        Messages that wait, at most.
    jitter
        Share of the delay that is waited.
    """

    def __init__(
        self,
        outbox: Outbox,
        receiver: Receiver,
        clock: Clock,
        *,
        max_age_seconds: float,
        queue: int,
        jitter: Callable[[], float] = _jitter,
    ) -> None:
        self._outbox = outbox
        self._receiver = receiver
        self._clock = clock
        self._max_age = max_age_seconds
        self._queue = queue
        self._jitter = jitter
        self._failures = 0
        self._repeat_at = clock.monotonic() + REPEAT_SECONDS
        self._stopping = Event()
        self._deadline = float("inf")
        self._thread: Thread | None = None
        self._log = _log.bind(receiver=receiver.name)

    def start(self) -> None:
        """Begin to listen, and to deliver in a thread.

        Raises
        ------
        StoreUnreachableError
        """
        self._outbox.begin(self._receiver.name)
        name = f"riverrun-{self._receiver.name}"
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def ask_to_stop(self, grace_seconds: float) -> None:
        """Ask it to deliver what waits, once, within a time."""
        self._deadline = self._clock.monotonic() + grace_seconds
        self._stopping.set()

    def stop(self, grace_seconds: float) -> None:
        """Stop; what waits has so long to be delivered. May be called twice."""
        if not self._stopping.is_set():
            self.ask_to_stop(grace_seconds)
        if self._thread is not None:
            self._thread.join(max(0.0, self._deadline - self._clock.monotonic()))
            if self._thread.is_alive():
                self._log.warning("left_behind", reason="the receiver did not answer in time")
            self._thread = None

    def turn(self) -> float:
        """Take what is new and deliver what waits; return the seconds until the next turn.

        Raises
        ------
        StoreError
        """
        name = self._receiver.name
        while self._outbox.take(name, self._receiver.choose) >= PAGE:
            if self._is_late():
                return POLL_SECONDS
        while waiting := self._outbox.waiting(name, _AT_ONCE):
            for one in waiting:
                if self._is_late():
                    return POLL_SECONDS
                if (delay := self._deliver(one)) is not None:
                    self._shed()
                    return delay
        return self._repeat()

    def _run(self) -> None:
        while True:
            last = self._stopping.is_set()
            wait = self._guarded_turn()
            if last:
                break
            self._stopping.wait(wait)
        self._receiver.close()

    def _guarded_turn(self) -> float:
        try:
            return self.turn()
        except StoreError as error:
            return self._retry(str(error))
        except Exception as error:  # noqa: BLE001 - a dead thread would tell nobody of anything
            self._log.exception("courier_failed")
            return self._retry(type(error).__name__)

    def _deliver(self, one: Waiting) -> float | None:
        """Deliver one message; return the seconds to wait where it was not taken."""
        name, key = self._receiver.name, one.message.key
        try:
            self._receiver.send(one.message.data)
        except RefusedError as error:
            self._outbox.failed(name, str(error), refused=one)
            self._log.error("refused", message=key, reason=str(error))
            return None
        except UndeliveredError as error:
            self._outbox.failed(name, str(error))
            return max(error.wait_seconds, self._retry(str(error)))
        except Exception as error:  # noqa: BLE001 - our own bug; its age will end it
            self._outbox.failed(name, f"{type(error).__name__}, see the log")
            self._log.exception("courier_failed", message=key)
            return self._retry(type(error).__name__)
        self._outbox.delivered(name, one, self._clock.now())
        if self._failures:
            self._log.info("delivered_again", after=self._failures)
            self._failures = 0
        return None

    def _retry(self, reason: str) -> float:
        """Return the seconds until another try: twice as long each time, less some chance."""
        say = self._log.warning if not self._failures else self._log.debug
        say("not_delivered", reason=reason)
        delay = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(self._failures, 20))
        self._failures += 1
        return delay * self._jitter()

    def _shed(self) -> None:
        gone = self._outbox.shed(
            self._receiver.name, self._queue, self._clock.now() - self._max_age
        )
        if gone:
            self._log.error("given_up", messages=gone)

    def _repeat(self) -> float:
        """Say what holds once more, where it is due."""
        now, name = self._clock.monotonic(), self._receiver.name
        if now >= self._repeat_at and not self._stopping.is_set():
            self._repeat_at = now + REPEAT_SECONDS
            try:
                self._receiver.repeat(self._outbox.state(name))
            except UndeliveredError as error:
                self._outbox.failed(name, str(error))
        return POLL_SECONDS

    def _is_late(self) -> bool:
        return self._clock.monotonic() > self._deadline
