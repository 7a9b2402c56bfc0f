"""The crew: a worker process that works on the shards which its group gives it."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

import structlog

from stream.clock import Clock
from stream.errors import LogError, RiverrunError
from stream.records import Offsets
from stream.sharding.membership import Change, Membership
from stream.sharding.names import shard_name
from stream.sharding.shard_run import ShardRun, Work

_log = structlog.get_logger("riverrun.shards")

_POLL_SECONDS = 0.1
_COPY_SECONDS = 1.0
_FENCED_SECONDS = 5.0
"""After which a shard that was claimed by somebody else, and is still ours, is claimed again."""


class Crew:
    """Starts and ends the work on shards, as the group says.

    Parameters
    ----------
    membership
        In the group; left at the end.
    count
        Of all shards.
    work
        What is done with a shard, in a thread of its own.
    clock
        The machine's, but in tests.
    copies
        Where the shards leave the offsets that they have committed.

    Attributes
    ----------
    working
        Numbers of the shards that are worked on now.

    Notes
    -----
    A shard that is revoked ends its turn and commits before its new owner is told. One that is lost
    ends without a word: its new owner has claimed it, so that nothing could be written any more.
    Nothing is begun while the group does not answer: whoever was cut off and is back believes for a
    while that it still has what others have, and would take it from them.
    """

    def __init__(
        self, membership: Membership, count: int, work: Work, clock: Clock, copies: Copies
    ) -> None:
        self._membership = membership
        self._count = count
        self._work = work
        self._clock = clock
        self._wanted: set[int] = set()
        self._done: set[int] = set()
        self._runs: dict[int, ShardRun] = {}
        self._leaving: list[Change] = []
        self._not_before: dict[int, float] = {}
        self._failure: BaseException | None = None
        self._copies = copies
        self._copied_at = clock.monotonic()

    @property
    def working(self) -> list[int]:
        """Numbers of the shards that are worked on now."""
        return sorted(self._runs)

    def run(
        self, should_stop: Callable[[], bool], is_read: Callable[[], bool] | None = None
    ) -> None:
        """Work until told to stop, then commit everything and leave the group.

        Parameters
        ----------
        should_stop
            Asked ten times a second.
        is_read
            Where given, it also stops when its shards are done; with none of its own, when this
            says that the stream is read to its end.

        Raises
        ------
        RiverrunError
            What ended one of the shards, when all have ended.
        """
        try:
            while not should_stop() and self._failure is None:
                self._turn()
                if is_read is not None and self._is_done(is_read):
                    break
        finally:
            self._end()
        if self._failure is not None:
            raise self._failure

    def _turn(self) -> None:
        for change in self._membership.poll(_POLL_SECONDS):
            self._take(change)
        self._look_after()
        now = self._clock.monotonic()
        if now - self._copied_at >= _COPY_SECONDS:
            self._copied_at = now
            self._copy()

    def _take(self, change: Change) -> None:
        _log.info(change.kind, shards=sorted(change.numbers))
        if change.kind == "assigned":
            self._wanted |= change.numbers
            self._done -= change.numbers
            return
        self._wanted -= change.numbers
        for number in change.numbers & set(self._runs):
            run = self._runs[number]
            if change.kind == "lost":
                run.abandon()
            else:
                run.stop()
        if change.kind == "revoked":
            self._leaving.append(change)

    def _look_after(self) -> None:
        """See which shards have ended, tell who waits for that, and begin those that are new."""
        for number, run in list(self._runs.items()):
            if not run.is_alive:
                del self._runs[number]
                self._ended(run)
        for change in [one for one in self._leaving if not one.numbers & set(self._runs)]:
            self._leaving.remove(change)
            change.done()
        if self._failure is not None or not self._membership.is_heard:
            return
        now = self._clock.monotonic()
        for number in sorted(self._wanted - self._done - set(self._runs)):
            if now < self._not_before.get(number, now):
                continue
            self._not_before.pop(number, None)
            name = shard_name(number, self._count)
            self._runs[number] = ShardRun(number, name, self._work)

    def _ended(self, run: ShardRun) -> None:
        if run.is_fenced:
            # Either the group is about to say that it is another's, or the other one was late.
            _log.warning("fenced", shard=run.number, message=str(run.error))
            self._not_before[run.number] = self._clock.monotonic() + _FENCED_SECONDS
        elif run.error is not None:
            self._failure = self._failure or run.error
        elif not run.was_stopped:
            self._done.add(run.number)

    def _is_done(self, is_read: Callable[[], bool]) -> bool:
        if not self._membership.has_joined or self._runs or self._leaving:
            return False
        return self._wanted <= self._done if self._wanted else is_read()

    def _copy(self) -> None:
        offsets = self._copies.take()
        if offsets and self._membership.copies_offsets:
            try:
                self._membership.copy(offsets)
            except LogError as error:
                _log.warning("offsets_not_copied", message=str(error))

    def _end(self) -> None:
        """End every shard with all committed, and stay a member until then."""
        for run in self._runs.values():
            run.stop()
        self._wanted.clear()
        try:
            while self._runs:
                for change in self._membership.poll(_POLL_SECONDS):
                    if change.kind != "assigned":
                        self._take(change)
                self._look_after()
            self._copy()
        except RiverrunError as error:
            self._failure = self._failure or error
            for run in self._runs.values():
                run.join()
        finally:
            self._membership.leave()


class Copies:
    """Offsets that shards have committed, until the group's member copies them to the log."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._offsets: Offsets = {}

    def put(self, offsets: Offsets) -> None:
        """Leave offsets; may be called from any thread."""
        with self._lock:
            self._offsets |= offsets

    def take(self) -> Offsets:
        """Return what was left since the last call."""
        with self._lock:
            taken, self._offsets = self._offsets, {}
        return taken
