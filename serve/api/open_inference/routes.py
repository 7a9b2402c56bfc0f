"""The routes under ``/v2``."""

from __future__ import annotations

from enum import Enum

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from monitor.schema import Schema
from serve.api.health import not_ready
from serve.api.open_inference.infer import OUTPUTS, infer, serve_version
from serve.api.open_inference.shapes import (
    Datatype,
    InferAnswer,
    ModelMetadata,
    ModelReady,
    ServerLive,
    ServerMetadata,
    ServerReady,
    TensorMetadata,
    failures,
)
from serve.api.openapi import body
from serve.api.predicting.offsets import live_model
from serve.api.problems import ProblemError
from serve.api.served_stream import ServedStream, Streams
from stream.sections import EventSection

_TAGS: list[str | Enum] = ["open inference"]
_MODEL = "/v2/models/{stream}"
_VERSION = _MODEL + "/versions/{version}"
_BY_SCHEMA: dict[str, Datatype] = {
    "int": "INT64", "float": "FP64", "bool": "BOOL", "string": "BYTES", "str": "BYTES",
}  # fmt: skip


def add_open_inference_routes(app: FastAPI, streams: Streams, version: str) -> None:
    """Add the routes of the protocol: about the server, and about each stream as a model."""

    @app.get(
        "/v2",
        operation_id="v2_server",
        summary="What this server is",
        tags=_TAGS,
        responses=failures(),
    )
    async def server() -> ServerMetadata:
        return ServerMetadata(version=version)

    @app.get("/v2/health/live", operation_id="v2_live", summary="Is it alive?", tags=_TAGS)
    async def live() -> ServerLive:
        return ServerLive()

    @app.get(
        "/v2/health/ready",
        operation_id="v2_ready",
        summary="Does everything work?",
        tags=_TAGS,
        responses=failures(503),
    )
    async def ready() -> ServerReady:
        problem = not_ready(streams)
        if problem is not None:
            raise ProblemError(problem)
        return ServerReady()

    _add_model_routes(app, streams)
    _add_infer_routes(app, streams)


def _add_model_routes(app: FastAPI, streams: Streams) -> None:
    about = {"tags": _TAGS, "responses": failures(404, 503)}

    @app.get(_MODEL, operation_id="v2_model", summary="What a model takes and gives", **about)  # type: ignore[arg-type]
    async def model(stream: str) -> ModelMetadata:
        return _metadata(streams.find(stream), None)

    @app.get(_VERSION, operation_id="v2_model_version", summary="The same of a version", **about)  # type: ignore[arg-type]
    async def model_version(stream: str, version: str) -> ModelMetadata:
        return _metadata(streams.find(stream), version)

    @app.get(_MODEL + "/ready", operation_id="v2_model_ready", summary="Does it answer?", **about)  # type: ignore[arg-type]
    async def ready(stream: str) -> ModelReady:
        return _ready(streams.find(stream), None)

    @app.get(
        _VERSION + "/ready",
        operation_id="v2_model_version_ready",
        summary="Does this version answer?",
        **about,  # type: ignore[arg-type]
    )
    async def ready_version(stream: str, version: str) -> ModelReady:
        return _ready(streams.find(stream), version)


def _add_infer_routes(app: FastAPI, streams: Streams) -> None:
    responses = failures(400, 404, 408, 409, 413, 415, 422, 503)

    @app.post(
        _MODEL + "/infer",
        operation_id="v2_infer",
        summary="Predict rows",
        description="Each input is a feature of all rows. All are predicted by one model; where a "
        "row cannot be, the request fails.",
        tags=_TAGS,
        response_model=InferAnswer,
        responses=responses,
        openapi_extra=body("InferRequest"),
    )
    async def infer_newest(stream: str, request: Request) -> Response:
        return await infer(streams.find(stream), request, None)

    @app.post(
        _VERSION + "/infer",
        operation_id="v2_infer_version",
        summary="Predict rows, if this version answers",
        tags=_TAGS,
        response_model=InferAnswer,
        responses=responses,
        openapi_extra=body("InferRequest"),
    )
    async def infer_version(stream: str, version: str, request: Request) -> Response:
        return await infer(streams.find(stream), request, version)


def _ready(stream: ServedStream, version: str | None) -> ModelReady:
    serve_version(stream, live_model(stream), version)
    return ModelReady(name=stream.name)


def _metadata(stream: ServedStream, version: str | None) -> ModelMetadata:
    live = live_model(stream)
    serve_version(stream, live, version)
    schema = None if live.judge is None else live.judge.schema
    event = stream.config.event
    types = {name: _BY_SCHEMA[kind] for name, kind in event.types.items()}
    roles = [name for name in (event.id, event.time) if name is not None]
    inputs = [(name, types.get(name, "BYTES")) for name in roles] + _features(schema, event)
    return ModelMetadata(
        name=stream.name,
        versions=[live.version],
        inputs=[TensorMetadata(name=name, datatype=kind, shape=[-1]) for name, kind in inputs],
        outputs=[
            TensorMetadata(
                name=name,
                datatype=kind,
                shape=[-1, -1] if name == "probabilities" else [-1],
            )
            for name, kind in OUTPUTS[stream.config.model.task]
        ],
    )


def _features(schema: Schema | None, event: EventSection) -> list[tuple[str, Datatype]]:
    if schema is not None:
        return [(one.name, _BY_SCHEMA.get(one.type, "BYTES")) for one in schema.features]
    types = dict(event.types)
    for name in event.features or ():
        types.setdefault(name, "float")
    roles = (event.id, event.time, event.label)
    return [(name, _BY_SCHEMA[kind]) for name, kind in types.items() if name not in roles]
