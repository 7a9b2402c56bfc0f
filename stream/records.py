"""What a log holds: records, where they stand, and what is to be appended."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

Headers = tuple[tuple[str, bytes], ...]


class TopicPartition(NamedTuple):
    """One partition of one topic.

    Examples
    --------
    >>> str(TopicPartition("flights.events", 0))
    'flights.events-0'
    """

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}"

    @classmethod
    def parse(cls, text: str) -> TopicPartition:
        """Read back what ``str`` wrote."""
        topic, _, partition = text.rpartition("-")
        return cls(topic, int(partition))


Offsets = dict[TopicPartition, int]
"""Next offset to read, by partition."""


class Record(msgspec.Struct, frozen=True, gc=False):
    """A record as it stands on a log.

    Parameters
    ----------
    topic, partition, offset
        Where it stands.
    timestamp
        When it was appended, in milliseconds since the epoch, by the log's or producer's clock.
    key, value
        The bytes, untouched; either may be missing.
    headers
        Pairs of name and bytes, in order; names may repeat.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()

    def header(self, name: str) -> bytes | None:
        """Return the last value of a header, or None."""
        return next((value for key, value in reversed(self.headers) if key == name), None)


class NewRecord(msgspec.Struct, frozen=True, gc=False):
    """A record to append; the log gives it its offset and time.

    Parameters
    ----------
    topic, key, value, headers
        As in ``Record``.
    partition
        Where it shall stand; None lets the log choose, by the key.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    partition: int | None = None

    @property
    def size(self) -> int:
        """Bytes of key, value and headers."""
        head = sum(len(name) + len(value) for name, value in self.headers)
        return len(self.key or b"") + len(self.value or b"") + head
