"""The client for asyncio; as ``serve.client.sync``, with ``await``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
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


class AsyncClient:
    """Talks to the API about one stream, on an event loop. Use it in an ``async with`` block.

    Parameters
    ----------
    url, stream, api_key, id_field, by, timeout_seconds, retries, transport
        As for ``Client``, whose verbs it has.

    Examples
    --------
    >>> async def ask() -> object:
    ...     async with AsyncClient("http://127.0.0.1:8000", "flights") as client:
    ...         return (await client.predict({"distance": 1400}, record=False)).prediction
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
        transport: httpx.AsyncBaseTransport | None = None,
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
        self._http = httpx.AsyncClient(**self._settings.http, transport=transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def predict(
        self, event: Event, *, record: bool = True, min_offset: MinOffset = None
    ) -> Prediction:
        """Return the prediction for one event."""
        return await self._send(self._calls.predict(event, record, min_offset))

    async def predict_batch(
        self, events: Sequence[Event], *, record: bool = True, min_offset: MinOffset = None
    ) -> list[BatchResult]:
        """Return a prediction or a problem for each event, in order; see ``predict``."""
        answer = await self._send(self._calls.predict_batch(events, record, min_offset))
        return answer.results

    async def send_events(self, *events: Event) -> Accepted:
        """Append events to the topic: all of them, or none. Returns when they are durable."""
        return await self._send(self._calls.send_events(events))

    async def send_labels(self, *labels: Event) -> Accepted:
        """Append labels: each a flat JSON object with the event's id and its label."""
        return await self._send(self._calls.send_labels(labels))

    async def predictions(
        self, *, limit: int = 100, cursor: str | None = None, **filters: Any
    ) -> PredictionPage:
        """Return what was predicted lately, the newest first."""
        return await self._send(self._calls.predictions(limit=limit, cursor=cursor, **filters))

    async def each_prediction(
        self, *, page: int = 500, **filters: Any
    ) -> AsyncIterator[PredictionEntry]:
        """Yield what was predicted lately, the newest first, page by page."""
        cursor: str | None = None
        while True:
            found = await self.predictions(limit=page, cursor=cursor, **filters)
            for one in found.predictions:
                yield one
            if (cursor := found.next) is None:
                return

    async def prediction(self, event_id: str) -> PredictionDetails:
        """Return the prediction of one event, with its label when it came."""
        return await self._send(self._calls.prediction(event_id))

    async def status(self) -> dict[str, Any]:
        """Return how the stream is."""
        return await self._send(self._calls.show(""))

    async def drift(self, **asked: Any) -> dict[str, Any]:
        """Return what has drifted; parameters as of ``GET /drift``, ``from_`` for from."""
        return await self._send(self._calls.show("drift", **asked))

    async def models(self, *, limit: int = 100, cursor: str | None = None) -> dict[str, Any]:
        """Return the versions of the model, the newest first."""
        return await self._send(self._calls.show("models", limit=limit, cursor=cursor))

    async def labels_wanted(self, **asked: Any) -> dict[str, Any]:
        """Return the predictions most worth a person's label; parameters as of the API."""
        return await self._send(self._calls.show("labels/wanted", **asked))

    async def retrain(self, reason: str) -> Asked:
        """Ask for a challenger. Returns at once; see ``wait``."""
        return await self._send(self._calls.ask("retrains", reason))

    async def cancel(self, run: int, reason: str) -> Asked:
        """Call a retraining run off."""
        return await self._send(self._calls.ask(f"retrains/{run}/cancel", reason))

    async def promote(self, version: str, reason: str) -> Asked:
        """Put a version in the champion's place, without its proof."""
        return await self._send(self._calls.ask(f"models/{part(version)}/promote", reason))

    async def rollback(self, reason: str) -> Asked:
        """Put the former champion back."""
        return await self._send(self._calls.ask("rollback", reason))

    async def wait(self, asked: Asked, timeout_seconds: float = 30.0) -> Asked:
        """Wait until the worker has answered a request; it is ``waiting`` where it has not."""
        deadline = time.monotonic() + timeout_seconds
        found = asked
        while found.state == "waiting" and time.monotonic() < deadline:
            await asyncio.sleep(_LOOK_SECONDS)
            found = await self._send(self._calls.request(asked.request))
        return found

    async def live(
        self,
        types: Iterable[str] | None = None,
        *,
        after: str | None = None,
        attempts: int | None = None,
    ) -> AsyncIterator[LiveEvent]:
        """Yield live events, and go on behind the last one whenever the connection ends."""
        call = self._calls.live(types)
        failures = 0
        while True:
            try:
                async with self._http.stream(**self._settings.streamed(call, after)) as response:
                    if response.status_code != httpx.codes.OK:
                        await response.aread()
                    if (refused := error_of(response)) is not None:
                        raise refused
                    async for sse in EventSource(response).aiter_sse():
                        failures = 0
                        if (event := live_event(sse)) is not None:
                            after = event.id
                            yield event
            except (httpx.TransportError, ClientError) as error:
                found = failure(error) if isinstance(error, httpx.TransportError) else error
                failures += 1
                if not is_passing(found) or (attempts is not None and failures >= attempts):
                    raise found from None
            await asyncio.sleep(self._settings.retries.pause(max(1, failures)))

    async def _send(self, call: Call[T]) -> T:
        failures = 0
        while True:
            try:
                return read(call, await self._http.request(**self._settings.sent(call)))
            except (httpx.TransportError, ClientError) as error:
                found = failure(error) if isinstance(error, httpx.TransportError) else error
                failures += 1
                delay = self._settings.retries.delay(call.repeat, found, failures)
                if delay is None:
                    raise found from None
            await asyncio.sleep(delay)
