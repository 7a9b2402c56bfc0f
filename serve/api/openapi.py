"""The OpenAPI document: FastAPI's, with the bodies that routes read themselves, and problems."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from serve.api.auth.roles import OPEN, ROLE_OF, Role
from serve.api.auth.shapes import SignIn
from serve.api.explain_shapes import ExplainRequest
from serve.api.lifecycle.shapes import Reason
from serve.api.live.shapes import (
    AnomalyEvent,
    PaneEvent,
    PredictionEvent,
    ReloadEvent,
    StatusEvent,
)
from serve.api.models import BatchRequest, BatchResult, PredictRequest
from serve.api.problems import MEDIA_TYPE, Problem

_BODIES = (
    PredictRequest,
    BatchRequest,
    BatchResult,
    ExplainRequest,
    Reason,
    SignIn,
    Problem,
)
_LIVE = (StatusEvent, PaneEvent, AnomalyEvent, PredictionEvent, ReloadEvent)
_REF = "#/components/schemas/"
DESCRIPTIONS = {
    400: "The body is not JSON in UTF-8.",
    401: "No key or token, or one that does not count.",
    403: "The key's role is not enough, or a page of another site asks.",
    404: "There is no such stream.",
    408: "The body came in too slowly.",
    409: "It contradicts what is there: the configuration, or what was sent before.",
    413: "Too large.",
    415: "The body does not say that it is JSON.",
    422: "The JSON is not what is expected; the fields are named.",
    429: "Asked too often; Retry-After says when to try again.",
    500: "riverrun failed.",
    503: "Something that is needed does not work now; try again.",
}
"""What each status means, wherever it comes."""

_SCHEMES: dict[str, dict[str, str]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, or a token."},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "session": {"type": "apiKey", "in": "cookie", "name": "riverrun-session"},
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return a route's ``responses`` for the problems it may answer with."""
    return {
        status: {
            "description": DESCRIPTIONS[status],
            "content": {MEDIA_TYPE: {"schema": {"$ref": _REF + Problem.__name__}}},
        }
        for status in (*statuses, 500)
    }


def body(model: str) -> dict[str, Any]:
    """Return a route's ``openapi_extra`` for a JSON body in the shape of a model."""
    return _json_body({"$ref": _REF + model})


def batch_bodies() -> dict[str, Any]:
    """Return the ``openapi_extra`` of a batch: JSON, or NDJSON with an event a line."""
    bodies = _json_body({"$ref": _REF + BatchRequest.__name__})
    line = {"type": "string", "description": "One event a line, as in `events`."}
    example = '{"flight_id": "1", "carrier": "UA"}\n{"flight_id": "2", "carrier": "AA"}\n'
    bodies["requestBody"]["content"]["application/x-ndjson"] = {
        "schema": line,
        "example": example,
    }
    return bodies


def one_or_many(example: dict[str, Any]) -> dict[str, Any]:
    """Return a route's ``openapi_extra`` for a flat JSON object, or a list of them."""
    scalar = {"type": ["string", "number", "boolean", "null"]}
    flat = {"type": "object", "additionalProperties": scalar}
    shape = {"anyOf": [flat, {"type": "array", "items": flat}], "examples": [example]}
    return _json_body(shape)


def describe(
    app: FastAPI, version: str, shapes: Sequence[type[BaseModel]] = ()
) -> Callable[[], dict[str, Any]]:
    """Return what makes the document of an application, once.

    Parameters
    ----------
    app
        With all its routes.
    version
        Of riverrun.
    shapes
        Of bodies that are named by ``body`` and not known here.
    """
    made: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not made:
            made.update(_document(app, version, shapes))
        return made

    return openapi


def _document(app: FastAPI, version: str, more_shapes: Sequence[type[BaseModel]]) -> dict[str, Any]:
    document = get_openapi(
        title="riverrun",
        version=version,
        summary="Predictions of River models that learn while they serve.",
        routes=app.routes,
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    wanted = [(model, "validation") for model in (*_BODIES, *_LIVE, *more_shapes)]
    _, more = models_json_schema(wanted, ref_template=_REF + "{model}")  # type: ignore[arg-type]
    schemas.update(more["$defs"])
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    _restore_examples(app, schemas)
    document["components"]["securitySchemes"] = _SCHEMES
    for path in document["paths"].values():
        for operation in path.values():
            _drop_unused(operation["responses"])
            _say_who_may(operation)
    return document


def _say_who_may(operation: dict[str, Any]) -> None:
    """Say which role an operation needs, and how it answers those who do not have it."""
    role = ROLE_OF.get(operation["operationId"], Role.OPERATOR)
    if role is OPEN:
        return
    operation["security"] = [{name: []} for name in _SCHEMES]
    said = operation.get("description", "")
    operation["description"] = f"{said}{chr(10) * 2 if said else ''}Role: `{role.label}`."
    answers = operation["responses"]
    own = answers.get("500", {})  # a problem, but where a protocol has errors of its own
    for status, answer in problems(401, 403, 429, 503).items():
        content = own.get("content", answer["content"])
        answers.setdefault(str(status), answer | {"content": content})


def _restore_examples(app: FastAPI, schemas: dict[str, Any]) -> None:
    """Put the examples of answers back as they are: FastAPI takes every null out of them."""
    for route in app.routes:
        model = getattr(route, "response_model", None)
        extra = getattr(model, "model_config", {}).get("json_schema_extra") or {}
        if model is not None and "examples" in extra:
            schemas[model.__name__]["examples"] = extra["examples"]


def _drop_unused(responses: dict[str, Any]) -> None:
    """Take out the 422 that FastAPI adds to every route with a parameter."""
    content = responses.get("422", {}).get("content", {})
    added = content.get("application/json", {}).get("schema", {}).get("$ref", "")
    if added.endswith("/HTTPValidationError"):
        del content["application/json"]
        if not content:
            del responses["422"]


def _json_body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
