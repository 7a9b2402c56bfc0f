"""Reading the events and labels of requests with the checks and messages of the topics."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TypeVar
from uuid import uuid4

import msgspec

from serve.api.problems import FieldError, Problem, problem_of
from stream.config import Config
from stream.events import Decoder, Event, LabelMessage, Rejected, Scalar
from stream.labels import LabelReader
from stream.records import Record

ID_PATTERN = r"^[A-Za-z0-9._:-]{1,128}$"
"""What an id may be over HTTP. Topics are more liberal: what others produced is used as it is."""

_ID = re.compile(ID_PATTERN)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_SCALAR = msgspec.json.Decoder(Scalar)
_STATUS = {"invalid_json": 400, "too_large": 413}
T = TypeVar("T", Event, LabelMessage)

_PLACE = re.compile(r" - at `\$[^`]*`")  # msgspec's; the field's name says it better


class EventReader:
    """Reads the JSON of events as the worker would read it from the topic.

    Parameters
    ----------
    config
        The stream's configuration.

    Examples
    --------
    >>> reader = EventReader(
    ...     Config(
    ...         stream={"name": "flights"},
    ...         event={"id": "flight_id", "label": "late"},
    ...         model={"task": "binary", "pipeline": "linear_model.LogisticRegression()"},
    ...     )
    ... )
    >>> reader.event(b'{"flight_id": 7, "distance": 90}', now=0).features
    {'distance': 90}
    >>> reader.event(b'{"distance": 90}', now=0).kind
    'missing_id'
    >>> reader.question(b'{"distance": 90}', now=0).features
    {'distance': 90}
    """

    def __init__(self, config: Config) -> None:
        self._events = config.events_topic
        self._labels = config.labels_topic
        self._event = config.event
        self._max_features = config.api.max_features
        read_label = LabelReader(config.model.task, config.model.classes)
        self._decoder = Decoder(config.event, read_label)

    @property
    def has_id(self) -> bool:
        """Whether a field of the event is its id."""
        return self._event.id is not None

    def event(self, value: bytes, now: int, key: bytes | None = None) -> Event | Rejected:
        """Read an event that shall be on the topic.

        Parameters
        ----------
        value
            A JSON object.
        now
            The time it would be appended at, in milliseconds.
        key
            The key it would have; its id where no field is configured as id.
        """
        read = self._decoder.event(Record(self._events, 0, 0, now, key, value))
        if isinstance(read, Rejected):
            return read
        if len(read.features) > self._max_features:
            return self._too_many(len(read.features))
        return read if self._event.id is None else self._with_sane_id(read)

    def question(self, value: bytes, now: int) -> Event | Rejected:
        """Read an event that nobody will hear of again: its id and its time may be missing.

        A missing time is ``now``. A missing id is whatever passes; the features never hold it.
        """
        read = self.event(value, now, key=b"?")
        if not isinstance(read, Rejected) or read.kind not in ("missing_id", "wrong_time"):
            return read
        fields = _FIELDS.decode(value)
        filled: dict[str, str | int] = {}
        if (name := self._event.id) is not None and _is_missing(fields, name):
            filled[name] = 0 if self._event.types.get(name) == "int" else "-"
        if (name := self._event.time) is not None and _is_missing(fields, name):
            moment = datetime.fromtimestamp(now / 1000, UTC).isoformat()
            filled[name] = moment if self._event.types.get(name) == "str" else now
        read = self.event(_with_fields(value, filled, bool(fields)), now)
        if isinstance(read, Event) and self._event.id in filled:
            read.id = ""
            read.features.pop(str(self._event.id), None)
        return read

    def label(self, value: bytes, now: int) -> LabelMessage | Rejected:
        """Read a label as it stands on the labels topic."""
        read = self._decoder.label(Record(self._labels, 0, 0, now, None, value))
        return read if isinstance(read, Rejected) else self._with_sane_id(read)

    def digest(self, event: Event) -> bytes:
        """Return what tells an event that is sent again from another one with the same id."""
        time = None if self._event.time is None else event.time
        text = msgspec.json.encode((event.features, event.label, time), order="sorted")
        return blake2b(text, digest_size=12).digest()

    def problem(self, rejected: Rejected, value: bytes, where: str) -> Problem:
        """Return why an event or label was refused, naming its field.

        Parameters
        ----------
        rejected
            The reason.
        value
            The JSON it was read from.
        where
            What the field's name starts with, such as ``event`` or ``events[3]``.
        """
        name = self._field(rejected.kind, value)
        field = where if name is None else f"{where}.{name}" if where else name
        message = _PLACE.sub("", rejected.message)
        return problem_of(
            _STATUS.get(rejected.kind, 422),
            rejected.kind,
            f"{field}: {message}" if field else message,
            errors=[FieldError(field=field or "body", message=message)],
        )

    def _with_sane_id(self, read: T) -> T | Rejected:
        if _ID.fullmatch(read.id):
            return read
        return Rejected(
            "check",
            "wrong_id",
            f"the field {self._event.id!r} is {read.id[:80]!r}; over HTTP 1 to 128 of letters, "
            "digits and . _ : - are expected",
        )

    def _too_many(self, found: int) -> Rejected:
        return Rejected(
            "check",
            "too_many_features",
            f"{found:,} features are over api.max_features = {self._max_features:,}",
        )

    def _field(self, kind: str, value: bytes) -> str | None:
        match kind:
            case "missing_id" | "wrong_id":
                return self._event.id
            case "wrong_time" | "future_time":
                return self._event.time
            case "missing_label" | "wrong_label":
                return self._event.label
            case "wrong_type":
                return self._mistyped(value)
        return None

    def _mistyped(self, value: bytes) -> str | None:
        """Return the first field whose value alone is refused."""
        try:
            fields = _FIELDS.decode(value)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return None  # not an object
        kinds = {"int": int, "float": float, "bool": bool, "str": str}
        for name, raw in fields.items():
            kind = kinds.get(self._event.types.get(name, ""))
            try:
                _SCALAR.decode(raw)
                if kind is not None:
                    msgspec.json.decode(raw, type=kind | None)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                return name[:200]
        return None


def _is_missing(fields: dict[str, msgspec.Raw], name: str) -> bool:
    return name not in fields or bytes(fields[name]) == b"null"


def _with_fields(value: bytes, added: dict[str, str | int], any_before: bool) -> bytes:
    """Return a JSON object with more fields; of a repeated one, the last counts."""
    if not added:
        return value
    comma = b"," if any_before else b""
    return value.rstrip()[:-1] + comma + msgspec.json.encode(added)[1:]


def new_key() -> bytes:
    """Return a key for an event that has no id of its own."""
    return uuid4().hex.encode()
