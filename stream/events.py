"""Records to events and labels: decoding, type checks, and the reasons where they fail.

Bad data is a value here, never an exception: what cannot be used comes back as ``Rejected``, and
the worker sends its bytes to the dead-letter topic.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from stream.event_shape import Features, Scalar, object_decoder
from stream.labels import Label, LabelReader, labelled_by
from stream.origin import as_first_appended
from stream.records import Record
from stream.sections import EventSection

__all__ = [
    "SERVED_HEADER", "Decoded", "Decoder", "Event", "Features", "LabelMessage", "Rejected",
    "Scalar", "Served", "parse_time",
]  # fmt: skip

SERVED_HEADER = "riverrun-served"
"""Header of an event that the API predicted first: the prediction it gave, as JSON."""

_NUMBERS = (int, float)  # "int | float" makes a new type each time it is reached
_MAX_ID = 512
_EPOCH_LIMIT = 253_402_300_800_000  # the year 10000, in milliseconds


class Served(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A prediction that the API gave before the worker saw the event.

    Parameters
    ----------
    prediction
        As ``Learner.predict`` returns it: probability, probabilities, value or score.
    model_version
        The version that answered.
    learned_offset
        How far that version had read, as the sum of its next offsets.
    answered_by
        ``parent`` or ``key``, where there are models per key; see ``stream.keys``.
    """

    prediction: bool | float | dict[str, float] | str | int | None
    model_version: str
    learned_offset: int
    answered_by: str | None = None


class Event(msgspec.Struct, gc=False):
    """An event that can be predicted.

    Parameters
    ----------
    id
        What its label will name.
    time
        Event time in milliseconds since the epoch.
    features
        What the model sees.
    label
        The label, where it came inside the event.
    served
        The prediction the API already gave, if it did.
    """

    id: str
    time: int
    features: Features
    label: Label | None
    served: Served | None


class LabelMessage(msgspec.Struct, gc=False):
    """A label that came by itself, on the labels topic, and who gave it."""

    id: str
    label: Label
    by: str | None = None


class Rejected(msgspec.Struct, frozen=True):
    """Why a record cannot be used.

    Parameters
    ----------
    stage
        Where it failed: ``decode``, ``check``, ``predict`` or ``learn``.
    kind
        A name to count by, such as ``invalid_json`` or ``missing_id``.
    message
        What was found and what was expected, for a person.
    """

    stage: str
    kind: str
    message: str


Decoded = Event | LabelMessage | Rejected
"""What a record of the events or labels topic is."""


class Decoder:
    """Turns records into events and labels, as ``[event]`` and ``[model]`` say.

    Parameters
    ----------
    event
        The section ``[event]``.
    read_label
        Turns a JSON value into a label, or into the reason why it is none.

    Examples
    --------
    >>> from stream.labels import LabelReader
    >>> decoder = Decoder(EventSection(id="id", label="late"), LabelReader("binary", None))
    >>> record = Record("t", 0, 7, 1_000, None, b'{"id": "a", "late": true, "x": 1.5}')
    >>> event = decoder.event(record)
    >>> event.id, event.time, event.features, event.label
    ('a', 1000, {'x': 1.5}, True)
    >>> decoder.event(Record("t", 0, 8, 1_000, None, b'{"x": [1]}')).kind
    'wrong_type'
    """

    def __init__(self, event: EventSection, read_label: LabelReader) -> None:
        # Attributes of its own: a section's are looked up several times as slowly.
        self._id_name, self._time_name, self._label_name = event.id, event.time, event.label
        self._wanted = event.features
        self._is_id_kept = event.id in (event.features or ())
        self._is_time_kept = event.time in (event.features or ())
        self._max_bytes, self._max_future = event.max_bytes, event.max_future
        self._read_label = read_label
        self._decode = object_decoder(event)
        self._decode_label = msgspec.json.Decoder(dict[str, Scalar]).decode
        self._drop_nulls = event.nulls == "drop"

    def event(self, record: Record) -> Event | Rejected:
        """Decode one record of the events topic; a replay has the identity of its first append."""
        if record.headers:
            first = self._first(record)
            if isinstance(first, Rejected):
                return first
            record = first
        fields = self._fields(record, self._decode)
        if not isinstance(fields, dict):
            return fields
        key = self._id(record, fields)
        if not isinstance(key, str):
            return key
        time = self._time(record, fields)
        if not isinstance(time, int):
            return time
        label: Label | None = None
        name = self._label_name
        if name is not None and (found := fields.pop(name, None)) is not None:
            read = self._read_label(found)
            if read is None:
                return self._wrong_label(found)
            label = read
        served = None
        if record.headers and (header := record.header(SERVED_HEADER)) is not None:
            try:
                served = msgspec.json.decode(header, type=Served)
            except msgspec.MsgspecError as error:
                return Rejected("decode", "invalid_header", f"header {SERVED_HEADER}: {error}")
        return Event(key, time, self._features(fields, record.value or b""), label, served)

    def label(self, record: Record) -> LabelMessage | Rejected:
        """Decode one record of the labels topic."""
        if record.headers:
            first = self._first(record)
            if isinstance(first, Rejected):
                return first
            record = first
        fields = self._fields(record, self._decode_label)
        if not isinstance(fields, dict):
            return fields
        key = self._id(record, fields)
        if not isinstance(key, str):
            return key
        name = self._label_name
        found = None if name is None else fields.get(name)
        if found is None:
            return Rejected("decode", "missing_label", f"a label message needs the field {name!r}")
        label = self._read_label(found)
        if label is None:
            return self._wrong_label(found)
        return LabelMessage(key, label, labelled_by(record))

    def features_of(self, value: bytes) -> Features:
        """Decode the features again, of an event that was decoded before."""
        fields = self._decode(value)
        if self._wanted is None:
            for name in (self._id_name, self._time_name, self._label_name):
                if name is not None:
                    fields.pop(name, None)
        return self._features(fields, value)

    def _first(self, record: Record) -> Record | Rejected:
        try:
            return as_first_appended(record, self._max_future)
        except ValueError as error:
            return Rejected("decode", "invalid_header", str(error))

    def _fields(self, record: Record, decode: Callable[[bytes], Features]) -> Features | Rejected:
        value = record.value
        if value is None:
            return Rejected("decode", "empty", "the record has no value; a JSON object is expected")
        size, limit = len(value), self._max_bytes
        if size > limit:
            over = f"{size:,} bytes are over event.max_bytes = {limit:,}"
            return Rejected("decode", "too_large", over)
        try:
            return decode(value)
        except msgspec.ValidationError as error:
            return Rejected("decode", "wrong_type", f"{error}; a flat JSON object is expected")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return Rejected("decode", "invalid_json", str(error))

    def _id(self, record: Record, fields: Features) -> str | Rejected:
        name = self._id_name
        if name is None:
            if record.key is not None:
                return record.key.decode("utf-8", "backslashreplace")
            return f"{record.topic}-{record.partition}-{record.offset}"
        found = fields.get(name) if self._is_id_kept else fields.pop(name, None)
        if isinstance(found, str) and 0 < len(found) <= _MAX_ID:
            return found
        if isinstance(found, int) and not isinstance(found, bool):
            return str(found)
        if found is None:
            return Rejected("check", "missing_id", f"the field {name!r} is missing or null")
        return Rejected(
            "check",
            "wrong_id",
            f"the field {name!r} is {_shown(found)}; an integer or 1 to {_MAX_ID} characters are "
            "expected",
        )

    def _time(self, record: Record, fields: Features) -> int | Rejected:
        name = self._time_name
        if name is None:
            return record.timestamp
        found = fields.get(name) if self._is_time_kept else fields.pop(name, None)
        time = parse_time(found)
        if time is None:
            return Rejected(
                "check",
                "wrong_time",
                f"the field {name!r} is {_shown(found)}; RFC 3339 or epoch milliseconds are "
                "expected",
            )
        if time - record.timestamp > self._max_future:
            return Rejected(
                "check",
                "future_time",
                f"the field {name!r} is {_shown(found)}, further past the record's own time than "
                f"event.max_future ({self._max_future:,} ms)",
            )
        return time

    def _features(self, fields: Features, value: bytes) -> Features:
        wanted = self._wanted
        if wanted is not None:
            if not self._drop_nulls:
                return {name: fields.get(name) for name in wanted}
            return {n: v for n in wanted if (v := fields.get(n)) is not None}
        # JSON has no other way to write one: most events need not be looked at field by field.
        if self._drop_nulls and b"null" in value:
            return {name: found for name, found in fields.items() if found is not None}
        return fields

    def _wrong_label(self, found: object) -> Rejected:
        return Rejected(
            "check",
            "wrong_label",
            f"the field {self._label_name!r} is {_shown(found)}; {self._read_label.expected}",
        )


def _shown(found: object) -> str:
    """Return a value for a message, cut to a readable length."""
    text = repr(found)
    return text if len(text) <= 80 else f"{text[:80]}..."


def parse_time(value: object) -> int | None:
    """Return an event time in milliseconds since the epoch, or None where it is none.

    Parameters
    ----------
    value
        RFC 3339 text (without an offset it is taken as UTC), or epoch milliseconds.

    Examples
    --------
    >>> parse_time("2013-01-01T10:00:00Z")
    1357034400000
    >>> parse_time(1357034400000)
    1357034400000
    >>> parse_time("yesterday") is None
    True
    """
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        try:
            return round(moment.timestamp() * 1000)
        except (OverflowError, ValueError):
            return None
    if isinstance(value, _NUMBERS) and not isinstance(value, bool):
        return round(value) if abs(value) < _EPOCH_LIMIT else None
    return None
