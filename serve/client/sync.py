"""The client for programs that wait."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Self, TypeVar

import httpx
from httpx_sse import EventSource

from serve.client.base import Settings, failure, is_passing, live_event, read
from serve.client.calls import Call, Event, MinOffset, part
from serve.client.errors import ClientError, error_of
from serve.client.retries import Retries
from serve.client.shapes import (
    Accepted,
    Asked,
    BatchResult,
    LiveEvent,
    Prediction,
    PredictionDetails,
    PredictionEntry,
    PredictionPage,
)

T = TypeVar("T")

_LOOK_SECONDS = 0.2


class Client:
    """Talks to the API about one stream. Close it, or use it in a ``with`` block.

    What failed is sent again where that cannot do anything twice: questions, labels, and events
    whose id is known, since an id is learned from once. Retrainings, promotions and roll-backs
    never are. ``serve.client.ClientError`` is the base of all errors.

    Parameters
    ----------
    url
        Of the API, such as ``http://127.0.0.1:8000``.
    stream
        Its name.
    api_key
        Sent as bearer token.
    id_field
        The field of an event that is its id, as ``event.id`` in the configuration.
    by
        Who asks, for what is written down of control actions; a key says it better.
    timeout_seconds
        For connecting, and between two parts of an answer.
    retries
        How often and when something is sent again.
    transport
        Of httpx; another one in tests.

    Examples
    --------
    >>> with Client("http://127.0.0.1:8000", "flights", id_field="flight_id") as client:
    ...     client.predict({"flight_id": "UA1", "distance": 1400}).prediction  # doctest: +SKIP
    False
    """

    def __init__(
        self,
        url: str,
        stream: str,
        *,
        api_key: str | None = None,
        id_field: str | None = None,
        by: str | None = None,
        timeout_seconds: float = 10.0,
        retries: Retries | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._settings = Settings(
            url,
            stream,
            api_key=api_key,
            id_field=id_field,
            by=by,
            timeout_seconds=timeout_seconds,
            retries=retries,
        )
        self._calls = self._settings.calls
        self._http = httpx.Client(**self._settings.http, transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def predict(
        self, event: Event, *, record: bool = True, min_offset: MinOffset = None
    ) -> Prediction:
        """Return the prediction for one event.

        Parameters
        ----------
        event
            A flat JSON object, as it stands on the topic.
        record
            Whether it is appended to the topic, to be scored and learned from.
        min_offset
            How far the model must have read: what ``send_events`` and ``send_labels`` returned.
        """
        return self._send(self._calls.predict(event, record, min_offset))

    def predict_batch(
        self, events: Sequence[Event], *, record: bool = True, min_offset: MinOffset = None
    ) -> list[BatchResult]:
        """Return a prediction or a problem for each event, in order; see ``predict``."""
        return self._send(self._calls.predict_batch(events, record, min_offset)).results

    def send_events(self, *events: Event) -> Accepted:
        """Append events to the topic: all of them, or none. Returns when they are durable."""
        return self._send(self._calls.send_events(events))

    def send_labels(self, *labels: Event) -> Accepted:
        """Append labels: each a flat JSON object with the event's id and its label."""
        return self._send(self._calls.send_labels(labels))

    def predictions(
        self, *, limit: int = 100, cursor: str | None = None, **filters: Any
    ) -> PredictionPage:
        """Return what was predicted lately, the newest first.

        Parameters
        ----------
        limit, cursor
            How many at most, and the ``next`` of the page before.
        filters
            As the API has them: ``from_``, ``to``, ``labelled``, ``wrong``, ``min_loss``,
            ``version``, ``source``.
        """
        return self._send(self._calls.predictions(limit=limit, cursor=cursor, **filters))

    def each_prediction(self, *, page: int = 500, **filters: Any) -> Iterator[PredictionEntry]:
        """Yield what was predicted lately, the newest first, page by page."""
        cursor: str | None = None
        while True:
            found = self.predictions(limit=page, cursor=cursor, **filters)
            yield from found.predictions
            if (cursor := found.next) is None:
                return

    def prediction(self, event_id: str) -> PredictionDetails:
        """Return the prediction of one event, with its label when it came."""
        return self._send(self._calls.prediction(event_id))

    def status(self) -> dict[str, Any]:
        """Return how the stream is."""
        return self._send(self._calls.show(""))

    def drift(self, **asked: Any) -> dict[str, Any]:
        """Return what has drifted; parameters as of ``GET /drift``, ``from_`` for from."""
        return self._send(self._calls.show("drift", **asked))

    def models(self, *, limit: int = 100, cursor: str | None = None) -> dict[str, Any]:
        """Return the versions of the model, the newest first."""
        return self._send(self._calls.show("models", limit=limit, cursor=cursor))

    def labels_wanted(self, **asked: Any) -> dict[str, Any]:
        """Return the predictions most worth a person's label; parameters as of the API."""
        return self._send(self._calls.show("labels/wanted", **asked))

    def retrain(self, reason: str) -> Asked:
        """Ask for a challenger. Returns at once; see ``wait``."""
        return self._send(self._calls.ask("retrains", reason))

    def cancel(self, run: int, reason: str) -> Asked:
        """Call a retraining run off."""
        return self._send(self._calls.ask(f"retrains/{run}/cancel", reason))

    def promote(self, version: str, reason: str) -> Asked:
        """Put a version in the champion's place, without its proof."""
        return self._send(self._calls.ask(f"models/{part(version)}/promote", reason))

    def rollback(self, reason: str) -> Asked:
        """Put the former champion back."""
        return self._send(self._calls.ask("rollback", reason))

    def wait(self, asked: Asked, timeout_seconds: float = 30.0) -> Asked:
        """Wait until the worker has answered a request; it is ``waiting`` where it has not."""
        deadline = time.monotonic() + timeout_seconds
        found = asked
        while found.state == "waiting" and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
            found = self._send(self._calls.request(asked.request))
        return found

    def live(
        self,
        types: Iterable[str] | None = None,
        *,
        after: str | None = None,
        attempts: int | None = None,
    ) -> Iterator[LiveEvent]:
        """Yield live events, and go on behind the last one whenever the connection ends.

        Parameters
        ----------
        types
            Those that are wanted; None for all.
        after
            Id of the last one that you have; None to begin with the present status.
        attempts
            Failures in a row after which the error is raised; None for as long as it takes.

        Raises
        ------
        ApiError
            At once where coming back would not help, such as 404.
        """
        call = self._calls.live(types)
        failures = 0
        while True:
            try:
                with self._http.stream(**self._settings.streamed(call, after)) as response:
                    if response.status_code != httpx.codes.OK:
                        response.read()
                    if (refused := error_of(response)) is not None:
                        raise refused
                    for sse in EventSource(response).iter_sse():
                        failures = 0
                        if (event := live_event(sse)) is not None:
                            after = event.id
                            yield event
            except (httpx.TransportError, ClientError) as error:
                found = failure(error) if isinstance(error, httpx.TransportError) else error
                failures += 1
                if not is_passing(found) or (attempts is not None and failures >= attempts):
                    raise found from None
            time.sleep(self._settings.retries.pause(max(1, failures)))

    def _send(self, call: Call[T]) -> T:
        failures = 0
        while True:
            try:
                return read(call, self._http.request(**self._settings.sent(call)))
            except (httpx.TransportError, ClientError) as error:
                found = failure(error) if isinstance(error, httpx.TransportError) else error
                failures += 1
                delay = self._settings.retries.delay(call.repeat, found, failures)
                if delay is None:
                    raise found from None
            time.sleep(delay)
