"""The one reference of a divided stream, and which events of each shard it is made of."""

from __future__ import annotations

from typing import Any

import msgspec

from monitor.reference import Reference
from monitor.schema import Schema
from monitor.schema_text import schema_from_toml, schema_to_toml
from stream.watching.kept_events import KeptEvent, KeptLabel


class Seen(msgspec.Struct, frozen=True):
    """How much of a shard was known when the reference was made.

    Parameters
    ----------
    partition
        The shard's.
    events, labels
        How many of its first ones.
    used
        How many of these events are part of the reference.
    """

    partition: int
    events: int
    labels: int
    used: int


class StreamReference(msgspec.Struct, frozen=True):
    """A schema and a reference, made of the first events of all shards by event time.

    Parameters
    ----------
    schema, reference
        As text, and as ``Reference.to_data`` gives it.
    time, partition, place
        The last event in it: event time in milliseconds, and its number among those that its shard
        kept. Events at the same time are in the order of partition and number.
    seen
        By shard.

    Examples
    --------
    >>> cut = StreamReference("", {}, 50, 1, 7, (Seen(0, 9, 0, 8), Seen(1, 8, 0, 8)))
    >>> some = KeptEvent(b"{}", 50, None, 0, False)
    >>> [cut.has(some, partition, 7) for partition in (0, 1, 2)], cut.has(some, 0, 9)
    ([True, True, False], False)
    """

    schema: str
    reference: dict[str, Any]
    time: int
    partition: int
    place: int
    seen: tuple[Seen, ...]

    @classmethod
    def of(
        cls,
        schema: Schema,
        reference: Reference,
        last: tuple[int, int, int],
        seen: tuple[Seen, ...],
    ) -> StreamReference:
        """Put schema and reference in a form that can be written."""
        return cls(schema_to_toml(schema), reference.to_data(), *last, seen)

    def seen_of(self, partition: int) -> Seen:
        """Return what was known of a shard."""
        known = {one.partition: one for one in self.seen}
        return known.get(partition, Seen(partition, 0, 0, 0))

    def has(self, event: KeptEvent, partition: int, place: int) -> bool:
        """Return whether an event is part of it, or would be if the schema had not refused it."""
        if place >= self.seen_of(partition).events:
            return False
        return (event.time, partition, place) <= (self.time, self.partition, self.place)

    def has_label(self, label: KeptLabel, partition: int, number: int) -> bool:
        """Return whether a label that came without its event is part of it."""
        if number >= self.seen_of(partition).labels:
            return False
        return label.time + label.age <= self.time

    def read(self) -> tuple[Schema, Reference]:
        """Return schema and reference.

        Raises
        ------
        monitor.errors.DamagedError
        """
        return schema_from_toml(self.schema), Reference.from_data(self.reference)
