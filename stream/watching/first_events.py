"""The first events of a stream, kept until there are enough for a schema and a reference."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from stream.labels import Label

FEWEST = 500
"""Labels, or predictions of a model that has learned, that a reference of them needs."""


class FirstEvent(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An event of the warm-up, as it came, and what was predicted for it.

    Parameters
    ----------
    value
        The event's JSON.
    prediction
        As one plain value.
    learned
        How many events the model had learned from when it predicted.
    """

    value: bytes
    prediction: bool | float | str | int | None
    learned: int


_decoder = msgspec.msgpack.Decoder(list[FirstEvent])


class FirstEvents:
    """Events and labels of the warm-up; written to the store as chunks of what is new.

    Examples
    --------
    >>> first = FirstEvents()
    >>> first.events.append(FirstEvent(b"{}", 0.5, 0))
    >>> first.changes() is not None, first.committed(), first.changes() is None
    (True, None, True)
    """

    def __init__(self) -> None:
        self.events: list[FirstEvent] = []
        self.labels: list[Label] = []
        self._committed = 0

    @property
    def usable(self) -> int:
        """How many of the events a reference may be made of: all."""
        return len(self.events)

    def changes(self) -> bytes | None:
        """Return what came since the last chunk, or None. Changes nothing."""
        fresh = self.events[self._committed :]
        return msgspec.msgpack.encode(fresh) if fresh else None

    def committed(self) -> None:
        """Take note that the changes were written."""
        self._committed = len(self.events)

    def restore(self, chunks: Sequence[tuple[int, bytes]], labels: list[Label]) -> None:
        """Become what the chunks say, given oldest first with their numbers."""
        self.events = [event for _, data in chunks for event in _decoder.decode(data)]
        self.labels = labels
        self._committed = len(self.events)

    def clear(self) -> None:
        """Let go of everything: the reference is made."""
        self.events, self.labels, self._committed = [], [], 0

    def predictions(self) -> list[bool | float | str | int | None] | None:
        """Return the predictions a reference is made of: those of the second half.

        A model that has only begun to learn says other things than it will say later. Where fewer
        than ``FEWEST`` events were learned from by then, there is nothing to go by: None.
        """
        half = self.events[len(self.events) // 2 :]
        if not half or half[0].learned < FEWEST:
            return None
        return [event.prediction for event in half]
