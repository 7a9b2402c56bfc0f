"""Errors over HTTP: problem documents (RFC 9457), for everything that goes wrong.

A problem is a value that a function returns or, where a request ends with it, the content of a
``ProblemError``. Handlers turn what FastAPI itself raises into the same shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"
_TYPE_PREFIX = "urn:riverrun:problem:"


class FieldError(BaseModel):
    """One field that is wrong."""

    model_config = ConfigDict(frozen=True)

    field: str = Field(description="Where, such as event.distance or events[3].flight_id.")
    message: str = Field(description="What was found and what was expected.")
    kind: str | None = Field(
        None, description="What is wrong, by the names of /anomalies, where the schema says so."
    )


class Problem(BaseModel):
    """Why a request failed (RFC 9457), for a program and for a person."""

    model_config = ConfigDict(
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:riverrun:problem:missing_id",
                    "title": "Unprocessable Content",
                    "status": 422,
                    "detail": "the field 'flight_id' is missing or null",
                    "errors": [
                        {
                            "field": "event.flight_id",
                            "message": "the field 'flight_id' is missing or null",
                        }
                    ],
                    "request_id": "3f0c9a7be1d24f6f8a52c0d1b7e6a934",
                }
            ]
        },
    )

    type: str = Field(description="What kind of problem; stable, to branch on.")
    title: str = Field(description="The status in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What was found, what was expected, what to do.")
    errors: list[FieldError] | None = Field(None, description="The fields that are wrong.")
    known: list[str] | None = Field(None, description="The names that would have been found.")
    parts: dict[str, dict[str, str]] | None = Field(
        None, description="By stream: the parts it needs, and how each of them is."
    )
    request_id: str | None = Field(None, description="As in the header X-Request-ID.")


class ProblemError(Exception):
    """Ends a request with a problem.

    Parameters
    ----------
    problem
        The document.
    headers
        Sent with it.
    """

    def __init__(self, problem: Problem, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(problem.detail)
        self.problem = problem
        self.headers = headers


def problem_of(
    status: int,
    kind: str,
    detail: str,
    *,
    errors: list[FieldError] | None = None,
    known: list[str] | None = None,
    parts: dict[str, dict[str, str]] | None = None,
) -> Problem:
    """Return a problem document of a kind.

    Examples
    --------
    >>> problem = problem_of(404, "unknown_stream", "there is no stream 'x'", known=["flights"])
    >>> problem.type, problem.title
    ('urn:riverrun:problem:unknown_stream', 'Not Found')
    """
    return Problem(
        type=_TYPE_PREFIX + kind,
        title=_title(status),
        status=status,
        detail=detail,
        errors=errors,
        known=known,
        parts=parts,
    )


def problem_response(
    problem: Problem, request: Request, headers: Mapping[str, str] | None = None
) -> Response:
    """Return the answer that carries a problem, with the request's id in it.

    Under ``/v2`` it is in the shape that the Open Inference Protocol has for errors.
    """
    if request.url.path == "/v2" or request.url.path.startswith("/v2/"):
        body = msgspec.json.encode({"error": problem.detail})
        return Response(body, problem.status, headers, "application/json")
    found = problem.model_copy(update={"request_id": getattr(request.state, "request_id", None)})
    return Response(
        found.model_dump_json(exclude_none=True),
        status_code=problem.status,
        headers=None if headers is None else dict(headers),
        media_type=MEDIA_TYPE,
    )


def add_problem_handlers(app: FastAPI) -> None:
    """Let an application answer with problem documents wherever it would answer otherwise."""

    @app.exception_handler(ProblemError)
    async def on_problem(request: Request, error: ProblemError) -> Response:
        return problem_response(error.problem, request, error.headers)

    @app.exception_handler(HTTPException)
    async def on_http_exception(request: Request, error: HTTPException) -> Response:
        return problem_response(_of_http(request.method, error), request, error.headers)

    @app.exception_handler(RequestValidationError)
    async def on_validation_error(request: Request, error: RequestValidationError) -> Response:
        return problem_response(_of_validation(error), request)


def _of_http(method: str, error: HTTPException) -> Problem:
    kind, detail = "http_error", error.detail
    if error.status_code == HTTPStatus.NOT_FOUND:
        kind, detail = "unknown_path", "nothing is here; /openapi.json lists every path"
    elif error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = (error.headers or {}).get("Allow", "another one")
        kind, detail = "method_not_allowed", f"{method} is not answered here; use {allowed}"
    return problem_of(error.status_code, kind, detail)


def _of_validation(error: RequestValidationError) -> Problem:
    errors = [
        FieldError(field=".".join(map(str, found["loc"])), message=str(found["msg"]))
        for found in error.errors()
    ]
    detail = "; ".join(f"{one.field}: {one.message}" for one in errors)
    return problem_of(422, "invalid_request", detail, errors=errors)


def _title(status: int) -> str:
    # Python 3.13 renamed some of the phrases; the answers shall not depend on that.
    names = {413: "Content Too Large", 422: "Unprocessable Content"}
    return names.get(status) or HTTPStatus(status).phrase
