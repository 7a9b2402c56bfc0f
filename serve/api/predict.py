"""Predictions over HTTP: ``POST /predict`` and ``POST /predict/batch``."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from serve.api.bodies import decode, read_body
from serve.api.event_reader import new_key
from serve.api.model_holder import LiveModel
from serve.api.models import BatchAnswer, Prediction
from serve.api.openapi import body, problems
from serve.api.problems import FieldError, Problem, ProblemError, problem_of
from serve.api.served_stream import ServedStream, Streams
from stream.events import SERVED_HEADER, Event, Rejected, Served
from stream.learner import decide
from stream.log import MAX_RECORD_BYTES
from stream.records import NewRecord
from stream.step import answer_details

_TURN_SECONDS = 0.01
"""How long a batch keeps other requests waiting at a time."""


class _One(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    event: msgspec.Raw
    record: bool = True


class _Many(msgspec.Struct, forbid_unknown_fields=True):
    events: list[msgspec.Raw]
    record: bool = True


_one = msgspec.json.Decoder(_One)
_many = msgspec.json.Decoder(_Many)
_encode = msgspec.json.Encoder().encode


def add_predict_routes(app: FastAPI, streams: Streams) -> None:
    """Add the routes that predict."""

    @app.post(
        "/v1/streams/{stream}/predict",
        operation_id="predict",
        summary="Predict one event",
        tags=["predictions"],
        response_model=Prediction,
        responses=problems(400, 404, 413, 415, 422, 503),
        openapi_extra=body("PredictRequest"),
    )
    async def predict(stream: str, request: Request) -> Response:
        served = streams.find(stream)
        asked = decode(_one, await read_body(request, served.config.api.max_body_bytes))
        answer = answer_one(served, _live(served), bytes(asked.event), asked.record, "event")
        if isinstance(answer, Problem):
            raise ProblemError(answer)
        return _json(answer)

    @app.post(
        "/v1/streams/{stream}/predict/batch",
        operation_id="predict_batch",
        summary="Predict many events",
        description="All events are answered by the same model, in order. One that fails has a "
        "problem in its place, and does not fail the others.",
        tags=["predictions"],
        response_model=BatchAnswer,
        responses=problems(400, 404, 413, 415, 422, 503),
        openapi_extra=body("BatchRequest"),
    )
    async def predict_batch(stream: str, request: Request) -> Response:
        served = streams.find(stream)
        limit = served.config.api.max_batch
        asked = decode(_many, await read_body(request, served.config.api.max_body_bytes))
        if len(asked.events) > limit:
            message = f"{len(asked.events):,} events are over api.max_batch = {limit:,}; split them"
            errors = [FieldError(field="events", message=message)]
            raise ProblemError(problem_of(422, "batch_too_large", message, errors=errors))
        answers = await _answer_all(served, _live(served), asked)
        failed = sum(isinstance(answer, Problem) for answer in answers)
        return _json({"results": [_result(answer) for answer in answers], "failed": failed})


def answer_one(
    stream: ServedStream, live: LiveModel, value: bytes, record: bool, where: str
) -> dict[str, Any] | Problem:
    """Predict one event, and hand it over to be recorded where that is asked for.

    Parameters
    ----------
    stream
        Whose event it is.
    live
        The model that answers.
    value
        The event's JSON, appended as it is.
    record
        Whether the event is to be appended.
    where
        What names the event in a problem.

    Returns
    -------
    dict
        In the shape of ``Prediction``.
    Problem
        Why there is no prediction; then nothing is recorded.
    """
    reader, now = stream.reader, stream.clock.now()
    now_ms = round(now * 1000)
    key = None if reader.has_id else new_key()
    event = reader.event(value, now_ms, key) if record else reader.question(value, now_ms)
    if isinstance(event, Rejected):
        return reader.problem(event, value, where)
    try:
        prediction = live.learner.predict(event.features)
    except Exception as error:  # noqa: BLE001 - a model may raise anything
        message = f"the model raised {type(error).__name__}: {error}"
        errors = [FieldError(field=where, message=message)]
        return problem_of(422, "model_error", f"{where}: {message}", errors=errors)
    served = Served(prediction, live.version, live.learned_offset)
    recorded = False
    if record:
        new = _record(stream, event, value, served)
        if new.size > MAX_RECORD_BYTES:
            return _too_large_to_record(new, where)
        recorded = stream.recorder.offer(new)
    stream.answered += 1
    task = stream.config.model.task
    return {
        "event_id": _shown_id(stream, event, record),
        "prediction": decide(task, prediction),
        **answer_details(task, served),
        "staleness_seconds": round(max(0.0, now - live.created_at), 3),
        "recorded": recorded,
    }


async def _answer_all(
    stream: ServedStream, live: LiveModel, asked: _Many
) -> list[dict[str, Any] | Problem]:
    answers = []
    turn_ends = time.perf_counter() + _TURN_SECONDS
    for index, event in enumerate(asked.events):
        answers.append(answer_one(stream, live, bytes(event), asked.record, f"events[{index}]"))
        if time.perf_counter() > turn_ends:
            await asyncio.sleep(0)
            turn_ends = time.perf_counter() + _TURN_SECONDS
    return answers


def _live(stream: ServedStream) -> LiveModel:
    live = stream.models.live
    if live is None:
        reason = stream.models.trouble or stream.models.store_trouble
        detail = (
            f"no model yet: the worker of {stream.name!r} has not committed a checkpoint; start "
            "it with 'riverrun worker'"
            if reason is None
            else f"no model can be loaded: {reason}"
        )
        raise ProblemError(problem_of(503, "no_model", detail), {"Retry-After": "1"})
    return live


def _record(stream: ServedStream, event: Event, value: bytes, served: Served) -> NewRecord:
    headers = ((SERVED_HEADER, _encode(served)),)
    return NewRecord(stream.config.events_topic, event.id.encode(), value, headers)


def _shown_id(stream: ServedStream, event: Event, record: bool) -> str | None:
    if record or stream.reader.has_id:
        return event.id or None
    return None


def _too_large_to_record(record: NewRecord, where: str) -> Problem:
    message = (
        f"{record.size:,} bytes with its prediction are over the log's limit of "
        f"{MAX_RECORD_BYTES:,}; send a smaller event, or ask with record = false"
    )
    errors = [FieldError(field=where, message=message)]
    return problem_of(413, "too_large", f"{where}: {message}", errors=errors)


def _result(answer: dict[str, Any] | Problem) -> dict[str, Any]:
    if isinstance(answer, Problem):
        return {"problem": answer.model_dump(exclude_none=True)}
    return {"prediction": answer}


def _json(content: dict[str, Any]) -> Response:
    return Response(_encode(content), media_type="application/json")
