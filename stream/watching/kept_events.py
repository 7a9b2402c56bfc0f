"""The first events of one shard, kept until the reference of the whole stream comes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import msgspec

from stream.watching.labelled import Labelled
from stream.watching.watch import Noted

KEPT_MAX = 100_000
"""Events that a shard keeps at least; it keeps ten times the warm-up where that is more."""


class KeptEvent(msgspec.Struct, array_like=True, frozen=True):
    """An event from before there was a reference.

    Parameters
    ----------
    value, time
        Its JSON, and its event time in milliseconds.
    said
        What was predicted for it.
    learned
        How many events the model had learned from when it predicted.
    is_wrong
        Whether the schema refused it.
    """

    value: bytes
    time: int
    said: Any
    learned: int
    is_wrong: bool


class KeptLabel(msgspec.Struct, array_like=True, frozen=True):
    """A label that met its prediction before there was a reference.

    Parameters
    ----------
    place
        Of the kept event that it came with; -1 for one that came by itself.
    features
        Of its event; None where that is kept.
    label, prediction, baselines, time, age, is_of_now
        As in ``Labelled``.
    """

    place: int
    features: Any
    label: Any
    prediction: Any
    baselines: tuple[Any, Any]
    time: int
    age: int
    is_of_now: bool

    def labelled(self, features: Any) -> Labelled:
        """Return it with its event's features."""
        said = self.prediction, self.baselines
        return Labelled(features, self.label, *said, self.time, self.age, None, self.is_of_now)


_decoder = msgspec.msgpack.Decoder(tuple[list[KeptEvent], list[KeptLabel]])


class KeptEvents:
    """Events and labels in the order in which they came, at most ``room`` of each.

    Parameters
    ----------
    room
        How many of each are kept.

    Attributes
    ----------
    events, met
        What was kept: events, and labels that met their predictions.
    left_out
        Events for which there was no room.
    labels
        Always empty: those of ``FirstEvents``.

    Examples
    --------
    >>> from stream.events import Event
    >>> from stream.watching.watch import Noted
    >>> kept = KeptEvents(room=1)
    >>> some = [Noted(0, Event("a", 5, {}, None, None), b"{}", 0.5, 0)]
    >>> kept.add(some, [False], []), kept.add(some, [False], []), kept.left_out
    (None, None, 1)
    """

    def __init__(self, room: int) -> None:
        self.room = room
        self.events: list[KeptEvent] = []
        self.met: list[KeptLabel] = []
        self.labels: list[Any] = []
        self.left_out = 0
        self._committed = (0, 0)

    @property
    def usable(self) -> int:
        """How many of the events a reference may be made of."""
        return sum(not event.is_wrong for event in self.events)

    def add(
        self, noted: Sequence[Noted], wrong: Sequence[bool], labelled: Sequence[Labelled]
    ) -> None:
        """Keep what came in one segment."""
        start = len(self.events)
        taken = noted[: max(0, self.room - start)]
        places = {id(one.event.features): start + row for row, one in enumerate(taken)}
        self.events += [
            KeptEvent(one.value, one.event.time, one.prediction, one.learned, is_wrong)
            for one, is_wrong in zip(taken, wrong, strict=False)
        ]
        self.left_out += len(noted) - len(taken)
        if self.left_out:  # the labels of events that are not kept would be counted without them
            return
        for row in labelled[: max(0, self.room - len(self.met))]:
            place = places.get(id(row.features), -1)
            features = row.features if place < 0 else None
            said = row.prediction, row.baselines
            self.met.append(
                KeptLabel(place, features, row.label, *said, row.time, row.age, row.is_of_now)
            )

    def label_places(self) -> list[int]:
        """Return behind which kept event each label came, by event time."""
        reached = list(accumulate((event.time for event in self.events), max))
        last = len(reached) - 1
        return [
            one.place if one.place >= 0 else min(last, bisect_left(reached, one.time + one.age))
            for one in self.met
        ]

    def changes(self) -> bytes | None:
        """Return what came since the last chunk, or None. Changes nothing."""
        events, met = self._committed
        fresh = self.events[events:], self.met[met:]
        return msgspec.msgpack.encode(fresh) if any(fresh) else None

    def committed(self) -> None:
        """Take note that the changes were written."""
        self._committed = len(self.events), len(self.met)

    def restore(self, chunks: Sequence[tuple[int, bytes]], labels: list[Any]) -> None:
        """Become what the chunks say, given oldest first with their numbers."""
        self.events, self.met = [], []
        for _, data in chunks:
            events, met = _decoder.decode(data)
            self.events += events
            self.met += met
        self.committed()

    def clear(self) -> None:
        """Let go of everything: the reference is there."""
        self.events, self.met, self._committed = [], [], (0, 0)


def room_for(warmup_events: int) -> int:
    """Return how many events a shard keeps while it waits for the reference."""
    return max(KEPT_MAX, 10 * warmup_events)
