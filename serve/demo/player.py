"""Playing a replay to the log: at a pace, or as fast as it goes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from serve.demo.flights import Message
from stream.config import Config
from stream.log import Sink
from stream.records import NewRecord

_CHUNK = 500
"""Messages that one step sends at most."""


class Player:
    """Sends the messages of a replay when they are due.

    Parameters
    ----------
    messages
        In order of their time.
    sink
        Where to.
    config
        Names the topics.
    speed
        Milliseconds of event time in a second; None for as fast as it goes.

    Examples
    --------
    >>> from stream.config import Config
    >>> from stream.logs.memory_log import MemoryLog
    >>> config = Config(
    ...     stream={"name": "s"},
    ...     event={"label": "late"},
    ...     model={"task": "binary", "pipeline": "linear_model.LogisticRegression()"},
    ... )
    >>> flights = [Message(t, "event", {"flight_id": str(t)}) for t in (1_000, 2_000, 9_000)]
    >>> player = Player(iter(flights), MemoryLog(clock=lambda: 0).sink(), config, speed=1_000)
    >>> player.step(0.0), player.step(1.5), player.step(20.0), player.done
    (1, 1, 1, True)
    """

    def __init__(
        self, messages: Iterator[Message], sink: Sink, config: Config, speed: float | None
    ) -> None:
        self._messages = messages
        self._sink = sink
        self._speed = speed
        self._topics = {"event": config.events_topic, "label": config.labels_topic}
        self._next: Message | None = next(messages, None)
        self._begin = 0 if self._next is None else self._next.time
        self.events = 0
        self.labels = 0

    @property
    def done(self) -> bool:
        """Whether everything was sent."""
        return self._next is None

    def unread(self, status: Mapping[str, Any] | None) -> int:
        """Return how many of the messages sent a worker's checkpoint does not have yet.

        Parameters
        ----------
        status
            Of the newest checkpoint, or None.
        """
        read = 0 if status is None else status["counts"]["read"]
        return max(0, self.events + self.labels - read)

    def step(self, elapsed_seconds: float) -> int:
        """Send what is due, up to a chunk; return how many messages that were.

        Parameters
        ----------
        elapsed_seconds
            Since the replay began.

        Raises
        ------
        LogError
        """
        due = None if self._speed is None else self._begin + elapsed_seconds * self._speed
        records: list[NewRecord] = []
        while self._next is not None and len(records) < _CHUNK:
            if due is not None and self._next.time > due:
                break
            records.append(self._record(self._next))
            self._next = next(self._messages, None)
        if records:
            self._sink.append(records)
        return len(records)

    def _record(self, message: Message) -> NewRecord:
        if message.kind == "event":
            self.events += 1
        else:
            self.labels += 1
        key = str(message.fields["flight_id"]).encode()
        return NewRecord(self._topics[message.kind], key, msgspec.json.encode(message.fields))
