"""Live events to many viewers: one look at the store for all of them, a bounded queue for each."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator

import structlog

from serve.api.live.collect import (
    LiveEvent,
    TooManyError,
    collect,
    rate_of,
    reload_event,
    status_event,
)
from serve.api.live.place import Place
from serve.api.problems import ProblemError
from serve.api.served_stream import ServedStream

_log = structlog.get_logger("riverrun.api")

QUEUE = 1_000
"""Events that wait for one viewer; it is told to reload where there are more."""

HEARTBEAT_SECONDS = 15.0
_LOOK_SECONDS = 0.1
_STATUS_SECONDS = 1.0
_STALE_SECONDS = 5.0


class Viewer:
    """One open stream of events: those that wait for it.

    Parameters
    ----------
    kinds
        Types that it wants; None for all.
    """

    def __init__(self, kinds: frozenset[str] | None) -> None:
        self._kinds = kinds
        self._waiting: deque[LiveEvent] = deque()
        self._changed = asyncio.Event()
        self.is_closed = False

    def offer(self, events: list[LiveEvent], number: int) -> bool:
        """Let events wait; where they are too many, a single ``reload`` takes their place.

        Returns
        -------
        bool
            Whether there was room.
        """
        self._waiting.extend(event for event in events if self.wants(event))
        has_room = len(self._waiting) <= QUEUE
        if not has_room:
            self._waiting.clear()
            self._waiting.append(reload_event(number, "slow"))
        if self._waiting:
            self._changed.set()
        return has_room

    def wants(self, event: LiveEvent) -> bool:
        """Return whether an event is of a type that it wants."""
        return self._kinds is None or event.kind in self._kinds or event.kind == "reload"

    def close(self) -> None:
        """End the stream once what waits is sent."""
        self.is_closed = True
        self._changed.set()

    async def next(self, timeout_seconds: float) -> LiveEvent | None:
        """Wait for the next event; None where there is none in time, or the stream ends."""
        if not self._waiting and not self.is_closed:
            try:
                await asyncio.wait_for(self._changed.wait(), timeout_seconds)
            except TimeoutError:
                return None
        if not self._waiting:
            return None
        event = self._waiting.popleft()
        if not self._waiting and not self.is_closed:
            self._changed.clear()
        return event


class LiveHub:
    """The viewers of one stream in this process.

    While there are any, a task looks whether the process has seen a newer checkpoint, reads once
    from the store what came with it, and hands it to all of them. Used on the event loop only.

    Parameters
    ----------
    stream
        What is watched.

    Attributes
    ----------
    reloads
        By reason, how often a viewer was told to read anew.
    refused
        Viewers that found no room.
    """

    def __init__(self, stream: ServedStream) -> None:
        self.reloads: Counter[str] = Counter(slow=0, too_far=0, unknown_id=0)
        self.refused = 0
        self._stream = stream
        self._viewers: dict[Viewer, int] = {}
        self._looking: asyncio.Task[None] | None = None
        self._number = 0
        self._rate: float | None = None
        self._status_at = float("-inf")
        self._status_of: int | None = None
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._viewers)

    @property
    def is_full(self) -> bool:
        """Whether another viewer would be one too many."""
        return len(self._viewers) >= self._stream.config.api.max_live

    @property
    def is_closed(self) -> bool:
        """Whether the process is about to stop."""
        return self._is_closed

    def close(self) -> None:
        """End all streams. Viewers come back by themselves, to whatever answers then."""
        self._is_closed = True
        for viewer in self._viewers:
            viewer.close()
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None

    def enter(self, kinds: frozenset[str] | None) -> Viewer:
        """Return a new viewer, whose place is taken until it leaves.

        Parameters
        ----------
        kinds
            Types that it wants; None for all.
        """
        viewer = Viewer(kinds)
        self._begin()
        self._viewers[viewer] = self._number
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """Take a viewer out."""
        self._viewers.pop(viewer, None)

    async def follow(self, viewer: Viewer, after: Place | None) -> AsyncIterator[bytes]:
        """Yield the events after a place, then those that come, until the stream ends.

        Parameters
        ----------
        viewer
            As ``enter`` returned it.
        after
            The last one that it has; None to begin with the present status.
        """
        number = self._viewers[viewer]
        yield b"retry: 1000\n\n"
        status = status_event(self._stream, self._rate, number)
        for event in [*await self._missed(after, number), status]:
            if viewer.wants(event):
                yield event.wire
        while True:
            found = await viewer.next(HEARTBEAT_SECONDS)
            if found is not None:
                yield found.wire
            elif viewer.is_closed:
                return
            else:
                yield b": ping\n\n"

    def _begin(self) -> None:
        """Look at the store from now on, where nobody did."""
        if self._looking is None or self._looking.done():
            self._number = self._newest()
            self._rate = None
            self._status_of = self._number  # which every viewer gets when it comes
            self._status_at = asyncio.get_running_loop().time()
            self._looking = asyncio.create_task(self._look())

    def _newest(self) -> int:
        newest = self._stream.models.newest
        return 0 if newest is None else newest.number

    async def _missed(self, after: Place | None, upto: int) -> list[LiveEvent]:
        """Return what came after a place, up to a checkpoint."""
        if after is None:
            return []
        if after.number > upto:
            return [self._reload(upto, "unknown_id")]
        stream, before = self._stream, after.number - 1
        store, task = stream.history.store, stream.config.model.task
        try:
            found = await stream.history.read(lambda: collect(store, task, before, upto))
        except (TooManyError, ProblemError):  # or the store does not answer, as the status tells
            return [self._reload(upto, "too_far")]
        return [event for event in found if event.place > after]

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if not self._viewers:
                return
            try:
                await self._turn()
            except ProblemError as error:  # tried again at once; the status tells of the store
                _log.warning("live_not_read", reason=error.problem.detail)
                await asyncio.sleep(_STATUS_SECONDS)
                self._tell_status()
            except Exception:  # noqa: BLE001 - a dead task would leave viewers with nothing
                _log.exception("live_failed")
                await asyncio.sleep(_STATUS_SECONDS)

    async def _turn(self) -> None:
        newest = self._newest()
        if newest < self._number:  # the worker went back: what was told since did not happen
            self._number = newest
            self._send([self._reload(newest, "unknown_id", len(self._viewers))])
        elif newest > self._number:
            found = await self._came(newest)
            self._number = newest
            self._send(found)
        now = asyncio.get_running_loop().time()
        due = _STATUS_SECONDS if self._status_of != self._number else _STALE_SECONDS
        if now - self._status_at >= due:
            self._tell_status()

    async def _came(self, newest: int) -> list[LiveEvent]:
        """Read what came up to a checkpoint, and how fast."""
        stream, after = self._stream, self._number
        store, task = stream.history.store, stream.config.model.task
        self._rate = await stream.history.read(lambda: rate_of(store))
        try:
            return await stream.history.read(lambda: collect(store, task, after, newest))
        except TooManyError:
            return [self._reload(newest, "too_far", len(self._viewers))]

    def _tell_status(self) -> None:
        self._status_at = asyncio.get_running_loop().time()
        self._status_of = self._number
        self._send([status_event(self._stream, self._rate, self._number)])

    def _send(self, events: list[LiveEvent]) -> None:
        for viewer in self._viewers:
            self.reloads["slow"] += not viewer.offer(events, self._number)

    def _reload(self, number: int, reason: str, viewers: int = 1) -> LiveEvent:
        self.reloads[reason] += viewers
        return reload_event(number, reason)
