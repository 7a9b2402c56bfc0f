"""A record of the dead-letter topic, read back: the original, and why it could not be used."""

from __future__ import annotations

import msgspec

from stream.origin import Origin, Place, read_origin
from stream.records import Headers, Record
from stream.step import ERROR_PREFIX, OMITTED_BYTES, SOURCE_TIMESTAMP

_REASON = tuple(
    ERROR_PREFIX + name
    for name in ("topic", "partition", "offset", "stage", "class.name", "exception.message")
)
_LONGEST_NAME, _LONGEST_MESSAGE = 200, 1_000


class Letter(msgspec.Struct, frozen=True):
    """What a dead letter says of itself; small, whatever the record holds.

    Parameters
    ----------
    partition, offset
        Its own place on the dead-letter topic.
    time
        When it was written, in milliseconds since the epoch.
    source
        The place of the record that could not be used.
    source_time
        When that record was appended; None for letters of a riverrun that did not say it.
    stage, reason, message
        Where it failed, the name of the failure, and what was found. Cut, where they are long.
    size
        Bytes of the original value; None where it had none.
    omitted
        Whether the value is left out, since it was too large for the topic.
    origin
        The first append, where the record was itself a replay.
    bad_origin
        Whether it had the headers of a replay, but not in the form that one writes.
    """

    partition: int
    offset: int
    time: int
    source: Place
    source_time: int | None
    stage: str
    reason: str
    message: str
    size: int | None
    omitted: bool
    origin: Origin | None
    bad_origin: bool

    @property
    def place(self) -> str:
        """Its own place, as commands name it: ``partition:offset``."""
        return f"{self.partition}:{self.offset}"

    @property
    def first(self) -> Origin:
        """The first append of the record: what makes it the event that it is."""
        if self.origin is not None:
            return self.origin
        # Without its own time that of the letter is the nearest: the worker wrote it soon after.
        time = self.time if self.source_time is None else self.source_time
        return Origin(self.source, time)


def read_letter(record: Record) -> Letter | None:
    """Read a record of the dead-letter topic; None where it is no dead letter of riverrun.

    Examples
    --------
    >>> from stream.events import Rejected
    >>> from stream.step import DeadLetter, dead_letter_record
    >>> source = Record("s.events", 0, 7, 1_000, None, b"{")
    >>> new = dead_letter_record(DeadLetter(source, Rejected("decode", "invalid_json", "cut")), "d")
    >>> letter = read_letter(Record("d", 0, 3, 2_000, new.key, new.value, new.headers))
    >>> letter.place, str(letter.source), letter.stage, letter.reason, letter.first.time
    ('0:3', 's.events-0:7', 'decode', 'invalid_json', 1000)
    >>> read_letter(source) is None
    True
    """
    reason = dict(record.headers[_original_count(record.headers) :])
    source = _source(reason)
    if source is None:
        return None
    omitted = _number(reason.get(OMITTED_BYTES))
    origin, bad_origin = None, False
    try:
        origin = read_origin(original_headers(record))
    except ValueError:
        bad_origin = True
    return Letter(
        partition=record.partition,
        offset=record.offset,
        time=record.timestamp,
        source=source,
        source_time=_number(reason.get(SOURCE_TIMESTAMP)),
        stage=_text(reason, "stage", _LONGEST_NAME),
        reason=_text(reason, "class.name", _LONGEST_NAME).removeprefix("riverrun."),
        message=_text(reason, "exception.message", _LONGEST_MESSAGE),
        size=omitted if record.value is None else len(record.value),
        omitted=record.value is None and omitted is not None,
        origin=origin,
        bad_origin=bad_origin,
    )


def original_headers(record: Record) -> Headers:
    """Return the headers of the record that a dead letter is of, as they were.

    The worker adds its own at the end, so what stands before is not ours, whatever it is called:
    a record that came from Kafka Connect's dead letters keeps the reason that it came with.
    """
    return record.headers[: _original_count(record.headers)]


def _original_count(headers: Headers) -> int:
    """Return where the worker's headers begin; the number of all where they are not there."""
    names = [name for name, _ in headers]
    end = len(names)
    for optional in (OMITTED_BYTES, SOURCE_TIMESTAMP):
        end -= names[end - 1 : end] == [optional]
    start = end - len(_REASON)
    return start if start >= 0 and tuple(names[start:end]) == _REASON else len(names)


def _source(reason: dict[str, bytes]) -> Place | None:
    partition = _number(reason.get(f"{ERROR_PREFIX}partition"))
    offset = _number(reason.get(f"{ERROR_PREFIX}offset"))
    topic = reason.get(f"{ERROR_PREFIX}topic", b"").decode("utf-8", "replace")
    fields = {"topic": topic, "partition": partition, "offset": offset}
    try:
        return msgspec.convert(fields, Place)
    except msgspec.ValidationError:
        return None


def _number(text: bytes | None) -> int | None:
    if text is None or not text.removeprefix(b"-").isdigit() or len(text) > 19:
        return None
    return int(text)


def _text(reason: dict[str, bytes], name: str, longest: int) -> str:
    found = reason.get(f"{ERROR_PREFIX}{name}", b"")
    return found[: 4 * longest].decode("utf-8", "backslashreplace")[:longest]
