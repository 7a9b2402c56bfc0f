"""``GET /live``: events as they come, over server-sent events."""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import Annotated, Any, get_args

from fastapi import FastAPI, Header, Query
from starlette.requests import ClientDisconnect
from starlette.responses import Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from serve.api.auth.access import Access
from serve.api.auth.refusal import Refusal
from serve.api.live.hub import LiveHub
from serve.api.live.hubs import LiveHubs
from serve.api.live.place import Place
from serve.api.live.shapes import EventType
from serve.api.monitoring.queries import invalid
from serve.api.openapi import problems
from serve.api.problems import ProblemError, problem_of
from serve.api.served_stream import Streams

_TAGS: list[str | Enum] = ["live"]
ACCESS_SECONDS = 10.0
"""How long a stream may go on whose key was taken away."""

_SEND_SECONDS = 30.0
_RETRY = {"Retry-After": "5"}
_EXAMPLE = 'event: pane\ndata: {"pane": 412, "state": "DRIFT", ...}\nid: 812.1.0\n\n'
_CONTENT: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events until either side ends it. `data` is JSON: StatusEvent, PaneEvent, "
        "Change (of a run), AnomalyEvent, PredictionEvent or ReloadEvent, by the event's type.",
        "content": {"text/event-stream": {"schema": {"type": "string"}, "example": _EXAMPLE}},
    }
}


class LiveResponse(StreamingResponse):
    """Events to one viewer; one that takes nothing for a while is let go.

    Parameters
    ----------
    hub
        Whose viewer it becomes.
    after
        The place to go on from.
    kinds
        Types that it wants; None for all.
    access
        Asked now and then whether the viewer may still look.
    """

    # Not FastAPI's EventSourceResponse: it takes only routes that yield, which cannot refuse.
    media_type = "text/event-stream"

    def __init__(
        self, hub: LiveHub, after: Place | None, kinds: frozenset[str] | None, access: Access
    ) -> None:
        self._hub = hub
        self._access = access
        self._viewer = hub.enter(kinds)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(hub.follow(self._viewer, after), headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until either side ends it, or the viewer's key or session does."""
        watching = asyncio.create_task(self._watch(scope))
        try:
            await super().__call__(scope, receive, send)
        finally:
            watching.cancel()
            self._hub.leave(self._viewer)

    async def _watch(self, scope: Scope) -> None:
        while True:
            await asyncio.sleep(ACCESS_SECONDS)
            if isinstance(await self._access.identify(scope), Refusal):
                break
        self._viewer.close()

    async def stream_response(self, send: Send) -> None:
        """Send what comes."""

        async def send_in_time(message: Message) -> None:
            try:
                await asyncio.wait_for(send(message), _SEND_SECONDS)
            except TimeoutError:
                raise ClientDisconnect from None

        await super().stream_response(send_in_time)


def add_live_routes(app: FastAPI, streams: Streams, access: Access) -> LiveHubs:
    """Add the route of live events; return what they come from.

    Parameters
    ----------
    app, streams
        As for all routes.
    access
        Who may look.
    """
    hubs = LiveHubs(streams)

    @app.get(
        "/v1/streams/{stream}/live",
        operation_id="live",
        summary="Events as they come: status, panes, anomalies, runs, predictions",
        description="Server-sent events, for EventSource and the like. The present `status` comes "
        "first, then what each new checkpoint brings; heartbeats are comments. Ids come out of the "
        "store and never fall: with `Last-Event-ID`, or `after`, any process of the API goes on "
        "behind that event. `reload` says that events were left out: read anew what you show. "
        "At most api.max_live viewers at a time.",
        tags=_TAGS,
        status_code=200,
        response_class=LiveResponse,
        responses=_CONTENT | problems(404, 422, 503),
    )
    async def live(
        stream: str,
        after: Annotated[
            str | None,
            Query(max_length=64, description="Id of the last event that you have: 812.1.0"),
        ] = None,
        types: Annotated[
            str | None,
            Query(
                max_length=200,
                description="Types that you want, with commas between; `reload` always comes. "
                "Default: all.",
                examples=["status,pane,run"],
            ),
        ] = None,
        last_event_id: Annotated[
            str | None, Header(description="As EventSource sends it; it wins over `after`.")
        ] = None,
    ) -> Response:
        hub = hubs.of(streams.find(stream))
        place, kinds = _place(after, last_event_id), _kinds(types)
        if hub.is_closed or hub.is_full:
            hub.refused += 1
            reason = "it is about to stop" if hub.is_closed else f"{len(hub)} viewers are there"
            detail = f"no more viewers of {stream!r} here (api.max_live): {reason}; come back later"
            raise ProblemError(problem_of(503, "too_many_viewers", detail), _RETRY)
        return LiveResponse(hub, place, kinds, access)

    return hubs


def _place(after: str | None, last: str | None) -> Place | None:
    """Return the place to go on from.

    A header that is none of our ids is one from the future, so that the viewer is told to reload:
    an EventSource that is refused never comes back.
    """
    if last:
        return Place.parse(last) or Place(1 << 62, 0, 0)
    if after is None:
        return None
    place = Place.parse(after)
    if place is None:
        raise invalid("after", f"{after!r} is no id of an event, such as 812.1.0")
    return place


def _kinds(types: str | None) -> frozenset[str] | None:
    if types is None:
        return None
    known = get_args(EventType)
    wanted = frozenset(name.strip() for name in types.split(",") if name.strip())
    if not wanted or not wanted <= set(known):
        raise invalid("types", f"{types!r}: give some of {', '.join(known)}, with commas between")
    return wanted
