"""How far the worker is behind the log: looked at from here, so that a dead worker is seen too."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from threading import Event, Thread

import structlog

from stream.log import Bounds, Log, Source
from stream.records import TopicPartition

_log = structlog.get_logger("riverrun.api")

_LOOK_SECONDS = 2.0


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
    ends
        What each partition holds; None where the log does not answer.
    by_topic
        Records between the newest checkpoint and the end, summed over partitions; None likewise.
    by_partition
        The same, by the number of the partition, over both topics; None likewise.
    trouble
        Why the log does not answer; None where it does.

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
        self.ends: dict[TopicPartition, Bounds] | None = None
        self.by_topic: dict[str, int] | None = None
        self.by_partition: dict[int, int] | None = None
        self.trouble: str | None = "the log was not asked yet"
        self._event_log = log
        self._topics = topics
        self._offsets = offsets
        self._look_seconds = look_seconds
        self._log = _log.bind(stream=stream)
        self._source: Source | None = None
        self._stopping = Event()
        self._thread: Thread | None = None

    @property
    def total(self) -> int | None:
        """Records between the newest checkpoint and the end of all topics; None where unknown."""
        by_topic = self.by_topic
        return None if by_topic is None else sum(by_topic.values())

    @property
    def offsets(self) -> Mapping[str, int]:
        """Next offsets by ``topic-partition``, of the newest checkpoint, or of every shard's."""
        return self._offsets()

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
            ends, found = self._source.bounds(), dict.fromkeys(self._topics, 0)
            parts = dict.fromkeys((place.partition for place in ends), 0)
            for place, held in ends.items():
                left = behind(held, offsets.get(str(place)))
                found[place.topic] += left
                parts[place.partition] += left
            self.ends, self.by_topic, self.by_partition = ends, found, parts
            self.trouble = None
        except Exception as error:  # noqa: BLE001 - a dead thread would show an old lag for ever
            reason = str(error) or type(error).__name__
            if self.by_topic is not None:
                self._log.warning("lag_unknown", reason=reason)
            self.ends, self.by_topic, self.by_partition = None, None, None
            self.trouble = reason
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


def behind(held: Bounds, following: int | None) -> int:
    """Return how many records of a partition were not read.

    Parameters
    ----------
    held
        What the partition holds.
    following
        The next offset to read; None before the first.

    Examples
    --------
    >>> behind(Bounds(2, 10), 7), behind(Bounds(2, 10), None)
    (3, 8)
    """
    return max(0, held.end - max(held.earliest, following or 0))
