"""Predictions over HTTP: ``POST /predict`` and ``POST /predict/batch``."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated

import msgspec
from fastapi import FastAPI, Query
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from serve.api.bodies import decode, is_ndjson, read_body
from serve.api.lean import JsonBytes, make_lean
from serve.api.models import BatchAnswer, Prediction
from serve.api.openapi import batch_bodies, body, problems
from serve.api.predicting.answer import Answered, Key, answer_one, plain_problem
from serve.api.predicting.ndjson import NdjsonAnswer
from serve.api.predicting.offsets import MinOffset, model_that_read, offsets_of
from serve.api.predicting.prefetch import bring_keys
from serve.api.problems import FieldError, Problem, ProblemError, problem_of
from serve.api.served_stream import ServedStream, Streams

TURN_SECONDS = 0.01
"""How long a batch keeps other requests waiting at a time."""

_REPEATED = ((b"idempotent-replayed", b"true"),)


class _One(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    event: msgspec.Raw
    record: bool = True
    min_offset: MinOffset = None
    key: Key = None


class _Many(msgspec.Struct, forbid_unknown_fields=True):
    events: list[msgspec.Raw]
    record: bool = True
    min_offset: MinOffset = None


class _Result(msgspec.Struct, omit_defaults=True):
    prediction: msgspec.Raw | None = None
    problem: dict[str, object] | None = None


class _Results(msgspec.Struct):
    results: list[_Result]
    failed: int


_one = msgspec.json.Decoder(_One)
_many = msgspec.json.Decoder(_Many)
_encode = msgspec.json.Encoder().encode


def add_predict_routes(app: FastAPI, streams: Streams, lean: list[APIRoute]) -> None:
    """Add the routes that predict; the one that most requests take goes to the lean ones, too."""

    @app.post(
        "/v1/streams/{stream}/predict",
        operation_id="predict",
        summary="Predict one event",
        description="A recorded event whose id was answered before gets the same answer, with the "
        "header `Idempotent-Replayed: true`; with another event under that id it is a 409.",
        tags=["predictions"],
        response_model=Prediction,
        responses=problems(400, 404, 408, 409, 413, 415, 422, 503),
        openapi_extra=body("PredictRequest"),
    )
    async def predict(stream: str, request: Request) -> Response:
        served = streams.find(stream)
        asked = decode(_one, await _body(served, request))
        if asked.key is not None and asked.record:
            raise _key_of_recorded()
        live = await model_that_read(served, asked.min_offset)
        await bring_keys(served, [bytes(asked.event)], asked.key)
        answer = answer_one(served, live, bytes(asked.event), asked.record, "event", asked.key)
        if isinstance(answer, Problem):
            raise ProblemError(answer)
        return JsonBytes(answer.body, _REPEATED if answer.repeated else ())

    make_lean(app, "predict", predict, lean)

    @app.post(
        "/v1/streams/{stream}/predict/batch",
        operation_id="predict_batch",
        summary="Predict many events",
        description="JSON: all events are answered by the same model, in order. NDJSON: one event "
        "a line, as many as you like, answered line by line by the newest model while they come "
        "in. One that fails has a problem in its place, and does not fail the others.",
        tags=["predictions"],
        response_model=BatchAnswer,
        responses=problems(400, 404, 408, 409, 413, 415, 422, 503) | NdjsonAnswer.documented,
        openapi_extra=batch_bodies(),
    )
    async def predict_batch(
        stream: str,
        request: Request,
        record: Annotated[bool | None, Query(description="NDJSON only: as in JSON.")] = None,
        min_offset: Annotated[
            str | None,
            Query(
                description="NDJSON only: as in JSON, or `topic-partition:offset` with commas.",
                examples=["20418"],
            ),
        ] = None,
    ) -> Response:
        served = streams.find(stream)
        if is_ndjson(request):
            wanted = None if min_offset is None else offsets_of(min_offset)
            await model_that_read(served, wanted)
            return NdjsonAnswer(served, record is not False)
        _refuse_query(record, min_offset)
        limit = served.config.api.max_batch
        asked = decode(_many, await _body(served, request))
        if len(asked.events) > limit:
            message = f"{len(asked.events):,} events are over api.max_batch = {limit:,}; split them"
            errors = [FieldError(field="events", message=message)]
            raise ProblemError(problem_of(422, "batch_too_large", message, errors=errors))
        results = await _answer_all(served, asked)
        failed = sum(result.problem is not None for result in results)
        return Response(_encode(_Results(results, failed)), media_type="application/json")


async def _body(stream: ServedStream, request: Request) -> bytes:
    limits = stream.config.api
    return await read_body(request, limits.max_body_bytes, limits.body_timeout)


async def _answer_all(stream: ServedStream, asked: _Many) -> list[_Result]:
    live = await model_that_read(stream, asked.min_offset)
    await bring_keys(stream, map(bytes, asked.events))
    results = []
    turn_ends = time.perf_counter() + TURN_SECONDS
    for index, event in enumerate(asked.events):
        answer = answer_one(stream, live, bytes(event), asked.record, f"events[{index}]")
        results.append(
            _Result(prediction=msgspec.Raw(answer.body))
            if isinstance(answer, Answered)
            else _Result(problem=plain_problem(answer))
        )
        if time.perf_counter() > turn_ends:
            await asyncio.sleep(0)
            turn_ends = time.perf_counter() + TURN_SECONDS
    return results


def _key_of_recorded() -> ProblemError:
    message = "what is recorded is keyed by its id; give a key with record = false only"
    errors = [FieldError(field="key", message=message)]
    return ProblemError(problem_of(422, "key_of_recorded", f"key: {message}", errors=errors))


def _refuse_query(record: bool | None, min_offset: str | None) -> None:
    given = {"record": record, "min_offset": min_offset}
    errors = [
        FieldError(field=f"query.{name}", message="of NDJSON only; with JSON it goes into the body")
        for name, value in given.items()
        if value is not None
    ]
    if errors:
        detail = "; ".join(f"{one.field}: {one.message}" for one in errors)
        raise ProblemError(problem_of(422, "invalid_request", detail, errors=errors))
