"""The bytes that a dead letter is about: in it, or where the record first stood."""

from __future__ import annotations

from contextlib import closing

import msgspec

from stream.dead_letters.letter import Letter
from stream.dead_letters.reading import record_at
from stream.log import Log, Source
from stream.records import Record


class Original(msgspec.Struct, frozen=True):
    """The original bytes, and what is to be said of them."""

    value: bytes | None
    note: str


def original_value(log: Log, letter: Letter, record: Record) -> Original:
    """Return the original bytes of a letter.

    Raises
    ------
    LogError
    """
    if record.value is not None:
        return Original(record.value, f"{len(record.value):,} bytes")
    if not letter.omitted:
        return Original(None, "the record had no value")
    left_out = f"{letter.size:,} bytes were too large for the dead-letter topic"
    place = letter.source
    found = None
    if place.topic in log.topics():
        with closing(log.source([place.topic])) as source:
            found = find_original(source, letter, record)
    if found is None:
        return Original(None, f"{left_out}; {place}, where they stood, no longer holds them")
    return Original(found.value, f"{left_out}; these stand at {place}")


def find_original(source: Source, letter: Letter, record: Record) -> Record | None:
    """Return the record that a letter without bytes is of; None where it is gone.

    Parameters
    ----------
    source
        Reads its topic, perhaps among others; it is moved.
    letter, record
        As read from the dead-letter topic.

    Raises
    ------
    LogError
    """
    found = record_at(source, letter.source)
    if (
        found is None
        or found.key != record.key
        or len(found.value or b"") != letter.size
        or letter.source_time not in (None, found.timestamp)
    ):
        return None
    return found
