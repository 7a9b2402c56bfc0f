"""How far the worker is behind the log: looked at from here, so that a dead worker is seen too."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from threading import Event, Thread

import structlog

from stream.log import Log, Source

_log = structlog.get_logger("riverrun.api")

_LOOK_SECONDS = 5.0


class LagWatch:
    """Compares the ends of a stream's topics with its newest checkpoint, in a thread.

    Parameters
    ----------
    log
        A reader of its own is opened on it.
    topics
        Of events and labels.
    offsets
        Returns the newest checkpoint's next offsets by ``topic-partition``; empty before one.
    stream
        Named in logs.
    look_seconds
        Between two looks.

    Attributes
    ----------
    by_topic
        Records between the newest checkpoint and the end, summed over partitions; None where the
        log does not answer.

    Examples
    --------
    >>> from stream.logs.memory_log import MemoryLog
    >>> from stream.records import NewRecord
    >>> log = MemoryLog(clock=lambda: 0)
    >>> log.create_topics({"s.events": 1})
    >>> _ = log.sink().append([NewRecord("s.events", b"1", b"{}")] * 3)
    >>> watch = LagWatch(log, ["s.events"], lambda: {"s.events-0": 1}, "s")
    >>> watch.look(); watch.by_topic
    {'s.events': 2}
    """

    def __init__(
        self,
        log: Log,
        topics: Sequence[str],
        offsets: Callable[[], Mapping[str, int]],
        stream: str,
        *,
        look_seconds: float = _LOOK_SECONDS,
    ) -> None:
        self.by_topic: dict[str, int] | None = None
        self._event_log = log
        self._topics = topics
        self._offsets = offsets
        self._look_seconds = look_seconds
        self._log = _log.bind(stream=stream)
        self._source: Source | None = None
        self._stopping = Event()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Begin to look."""
        self._stopping.clear()
        self._thread = Thread(target=self._run, name="riverrun-lag", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop looking. May be called twice."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
            self._thread = None

    def look(self) -> None:
        """Look once. Blocks for one exchange with the log, in the thread that calls."""
        try:
            if self._source is None:
                self._source = self._event_log.source(self._topics)
            # Before the ends: what is committed in between is no lag below nothing.
            offsets = self._offsets()
            found = dict.fromkeys(self._topics, 0)
            for place, held in self._source.bounds().items():
                behind = held.end - offsets.get(str(place), held.earliest)
                found[place.topic] += max(0, behind)
            self.by_topic = found
        except Exception as error:  # noqa: BLE001 - a dead thread would show an old lag for ever
            if self.by_topic is not None:
                self._log.warning("lag_unknown", reason=str(error) or type(error).__name__)
            self.by_topic = None
            self._let_go()

    def _run(self) -> None:
        self.look()
        while not self._stopping.wait(self._look_seconds):
            self.look()
        self._let_go()

    def _let_go(self) -> None:
        source, self._source = self._source, None
        if source is not None:
            with suppress(Exception):
                source.close()
