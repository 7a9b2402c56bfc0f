"""Events and labels over HTTP: ``POST /events`` and ``POST /labels`` append to the topics."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import msgspec
from fastapi import FastAPI
from starlette.requests import Request

from serve.api.auth.caller import actor_of, giver_of, is_by_person
from serve.api.bodies import decode, read_body
from serve.api.models import Accepted, Place
from serve.api.openapi import one_or_many, problems
from serve.api.problems import FieldError, Problem, ProblemError, problem_of
from serve.api.served_stream import ServedStream, Streams
from serve.api.tracing import current_trace
from stream.events import Event, LabelMessage, Rejected
from stream.labels import LABELLED_BY
from stream.records import Headers, NewRecord
from stream.storage.audit import Actor

_raw = msgspec.json.Decoder(msgspec.Raw)
_list = msgspec.json.Decoder(list[msgspec.Raw])

_MAX_ERRORS = 100
_MAX_IDS = 100

Read = Callable[[bytes, int], Event | LabelMessage | Rejected]
"""Reads one object, given the time in milliseconds."""


def add_produce_routes(app: FastAPI, streams: Streams) -> None:
    """Add the routes that append to the topics."""

    @app.post(
        "/v1/streams/{stream}/events",
        operation_id="append_events",
        summary="Append events",
        description="One event or a list, checked as the worker checks them; all of them are "
        "appended, or none. Answers when they are durable.",
        tags=["producing"],
        status_code=202,
        responses=problems(400, 404, 408, 413, 415, 422, 503),
        openapi_extra=one_or_many({"flight_id": "2013-01-01-UA-1545", "carrier": "UA"}),
    )
    async def append_events(stream: str, request: Request) -> Accepted:
        served = streams.find(stream)
        return await _append(served, request, served.config.events_topic, served.reader.event)

    @app.post(
        "/v1/streams/{stream}/labels",
        operation_id="append_labels",
        summary="Append labels",
        description="One label message or a list: the event's id and its label. All of them are "
        "appended, or none. Answers when they are durable. Who gives them, by the key and the "
        "header X-Requested-By, goes with them: a second label that differs is a conflict.",
        tags=["producing"],
        status_code=202,
        responses=problems(400, 404, 408, 409, 413, 415, 422, 503),
        openapi_extra=one_or_many({"flight_id": "2013-01-01-UA-1545", "late": True}),
    )
    async def append_labels(stream: str, request: Request) -> Accepted:
        served = streams.find(stream)
        if not served.reader.has_id or served.config.event.label is None:
            missing = "id" if not served.reader.has_id else "label"
            detail = (
                f"a label names its event by a field, and event.{missing} is not configured for "
                f"{served.name!r}; set it, or send labels inside the events"
            )
            raise ProblemError(problem_of(409, "labels_not_configured", detail))
        topic, by = served.config.labels_topic, giver_of(request)
        headers = () if by is None else ((LABELLED_BY, by.encode()),)
        accepted = await _append(served, request, topic, served.reader.label, headers)
        if is_by_person(request):
            given = {"labels": len(accepted.accepted), "ids": _some(accepted)}
            await served.history.read(partial(_write_down, served, actor_of(request), given))
        return accepted


async def _append(
    stream: ServedStream, request: Request, topic: str, read: Read, headers: Headers = ()
) -> Accepted:
    limits = stream.config.api
    body = await read_body(request, limits.max_body_bytes, limits.body_timeout)
    is_list = body.lstrip(b" \t\r\n").startswith(b"[")
    values = [bytes(raw) for raw in (decode(_list, body) if is_list else [decode(_raw, body)])]
    limit = limits.max_batch
    if len(values) > limit:
        detail = f"{len(values):,} objects are over api.max_batch = {limit:,}; split them"
        errors = [FieldError(field="body", message=detail)]
        raise ProblemError(problem_of(422, "batch_too_large", detail, errors=errors))
    ids = _check(stream, values, read, is_list)
    headers += current_trace()
    records = [
        NewRecord(topic, None if key is None else key.encode(), value, headers)
        for key, value in zip(ids, values, strict=True)
    ]
    places = await asyncio.to_thread(stream.append, records) if records else []
    return Accepted(
        accepted=[
            Place(
                id=f"{place}-{offset}" if key is None else key,
                topic=place.topic,
                partition=place.partition,
                offset=offset,
            )
            for key, (place, offset) in zip(ids, places, strict=True)
        ],
        min_offset={str(place): offset + 1 for place, offset in sorted(places)},
    )


def _write_down(stream: ServedStream, actor: Actor, given: dict[str, object]) -> None:
    stream.history.store.audit.write("labels", actor, "", given, stream.clock.now())


def _some(accepted: Accepted) -> list[str]:
    return [str(place.id) for place in accepted.accepted[:_MAX_IDS]]


def _check(
    stream: ServedStream, values: list[bytes], read: Read, is_list: bool
) -> list[str | None]:
    """Return the ids; None where the place on the topic will be the id."""
    now, has_id = stream.now_ms(), stream.reader.has_id
    ids: list[str | None] = []
    found: list[Problem] = []
    for index, value in enumerate(values):
        checked = read(value, now)
        if isinstance(checked, Rejected):
            found.append(stream.reader.problem(checked, value, f"[{index}]" if is_list else ""))
        else:
            ids.append(checked.id if has_id else None)
    if found:
        raise ProblemError(_together(found))
    return ids


def _together(found: list[Problem]) -> Problem:
    """Return one problem for all that were found in a list: the first one's, with every field."""
    first = found[0]
    if len(found) == 1:
        return first
    errors: list[FieldError] = [error for one in found for error in one.errors or []]
    detail = f"{first.detail} (and {len(found) - 1:,} more); nothing was appended"
    return first.model_copy(update={"errors": errors[:_MAX_ERRORS], "detail": detail})
