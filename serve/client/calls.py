"""Requests as values: what is sent for each verb, and what its answer is read as."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import msgspec

from serve.client.retries import Repeat
from serve.client.shapes import (
    Accepted,
    Asked,
    BatchAnswer,
    Prediction,
    PredictionDetails,
    PredictionPage,
    Scalar,
)

T = TypeVar("T")

Event = Mapping[str, Scalar]
"""A flat JSON object, as it stands on the topic."""

MinOffset = int | Mapping[str, int] | None
"""What ``Accepted.min_offset`` says, or a ``learned_offset``."""

Query = dict[str, str | int | float | bool]


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request.

    Parameters
    ----------
    method, path, query, body
        What is sent; the body is JSON.
    answer
        What the answer is read as.
    repeat
        What a second sending does.
    """

    method: str
    path: str
    answer: type[T]
    repeat: Repeat
    body: bytes | None = None
    query: Query | None = None

    def read(self, content: bytes) -> T:
        """Return the answer as a value."""
        return msgspec.json.decode(content, type=self.answer)


class Calls:
    """The requests about one stream.

    Parameters
    ----------
    stream
        Its name.
    id_field
        The field of an event that is its id; None where that is not known. An event with an id is
        learned from once, however often it is sent.
    """

    def __init__(self, stream: str, id_field: str | None) -> None:
        self._root = f"/v1/streams/{quote(stream, safe='')}"
        self._id_field = id_field

    def predict(self, event: Event, record: bool, min_offset: MinOffset) -> Call[Prediction]:
        """Ask for one prediction."""
        body = {"event": event, "record": record} | _min_offset(min_offset)
        repeat = Repeat.ALWAYS if not record else self._repeat([event])
        return self._post("predict", body, Prediction, repeat)

    def predict_batch(
        self, events: Sequence[Event], record: bool, min_offset: MinOffset
    ) -> Call[BatchAnswer]:
        """Ask for many predictions."""
        body = {"events": events, "record": record} | _min_offset(min_offset)
        repeat = Repeat.ALWAYS if not record else self._repeat(events)
        return self._post("predict/batch", body, BatchAnswer, repeat)

    def send_events(self, events: Sequence[Event]) -> Call[Accepted]:
        """Append events."""
        return self._post("events", events, Accepted, self._repeat(events))

    def send_labels(self, labels: Sequence[Event]) -> Call[Accepted]:
        """Append labels: each names its event."""
        return self._post("labels", labels, Accepted, Repeat.ALWAYS)

    def predictions(self, **asked: Any) -> Call[PredictionPage]:
        """Ask what was predicted lately."""
        return self._get("predictions", PredictionPage, asked)

    def prediction(self, event_id: str) -> Call[PredictionDetails]:
        """Ask for the prediction of one event."""
        return self._get(f"predictions/{quote(event_id, safe='')}", PredictionDetails)

    def show(self, path: str, **asked: Any) -> Call[dict[str, Any]]:
        """Ask for something that is shown as it comes."""
        return self._get(path, dict[str, Any], asked)

    def ask(self, path: str, reason: str) -> Call[Asked]:
        """Ask something of the worker, with a reason."""
        return self._post(path, {"reason": reason}, Asked, Repeat.NEVER)

    def request(self, number: int) -> Call[Asked]:
        """Ask what became of a request to the worker."""
        return self._get(f"requests/{number}", Asked)

    def live(self, types: Iterable[str] | None) -> Call[bytes]:
        """Ask for live events."""
        return self._get("live", bytes, {} if types is None else {"types": ",".join(types)})

    def _repeat(self, events: Sequence[Event]) -> Repeat:
        known = self._id_field is not None and all(
            event.get(self._id_field) is not None for event in events
        )
        return Repeat.ALWAYS if known else Repeat.REFUSED

    def _get(self, path: str, answer: type[T], asked: Mapping[str, Any] | None = None) -> Call[T]:
        query = {
            name.rstrip("_"): _text(value)
            for name, value in (asked or {}).items()
            if value is not None
        }
        where = f"{self._root}/{path}".rstrip("/")
        return Call("GET", where, answer, Repeat.ALWAYS, query=query or None)

    def _post(self, path: str, body: Any, answer: type[T], repeat: Repeat) -> Call[T]:
        content = msgspec.json.encode(body)
        return Call("POST", f"{self._root}/{path}", answer, repeat, body=content)


def part(text: str) -> str:
    """Return a name as one part of a path."""
    return quote(text, safe="")


def _min_offset(wanted: MinOffset) -> dict[str, Any]:
    return {} if wanted is None else {"min_offset": wanted}


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, datetime) else value
