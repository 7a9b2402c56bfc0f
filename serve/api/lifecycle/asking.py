"""Asking the worker over HTTP: a reason, who it was, and where to look for the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from serve.api.bodies import decode, read_body
from serve.api.lifecycle.reading import shown_request
from serve.api.lifecycle.shapes import AskedOfWorker
from serve.api.problems import FieldError, ProblemError, problem_of
from serve.api.served_stream import ServedStream
from stream.storage.audit import Actor

_REASON_MAX, _WAITING_MAX = 2_000, 100
_BODY_MAX = 16_384
_RETRY = {"Retry-After": "2"}


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=_REASON_MAX)]


_decoder = msgspec.json.Decoder(_Body)


async def read_reason(request: Request) -> str:
    """Return the reason that a body gives.

    Raises
    ------
    ProblemError
        As ``read_body`` and ``decode``; 422 where there is none.
    """
    reason = decode(_decoder, await read_body(request, _BODY_MAX)).reason.strip()
    if not reason:
        message = "say why; it is written down with what comes of it"
        errors = [FieldError(field="reason", message=message)]
        raise ProblemError(problem_of(422, "missing_reason", message, errors=errors))
    return reason


def refuse_where_nothing_is_kept(stream: ServedStream) -> None:
    """End the request with a 409 where the stream's worker never retrains."""
    for section, name in ((stream.config.monitor, "monitor"), (stream.config.retrain, "retrain")):
        if not section.enabled:
            detail = (
                f"{name}.enabled is false for {stream.name!r}: its worker keeps no versions. Set "
                "it to true and start worker and API again"
            )
            raise ProblemError(problem_of(409, "retrain_disabled", detail))


def ask(stream: ServedStream, kind: str, detail: Mapping[str, Any], by: Actor) -> AskedOfWorker:
    """Leave a request in the store, and write down who did. Blocks: call it in a thread.

    Raises
    ------
    ProblemError
        503 where many requests wait already: no worker answers.
    """
    runs = stream.history.store.runs
    waiting = len(runs.asked())
    if waiting >= _WAITING_MAX:
        problem = f"{waiting} requests wait for a worker of {stream.name!r}; is one running?"
        raise ProblemError(problem_of(503, "requests_waiting", problem), _RETRY)
    row = runs.request(runs.ask(kind, detail, by, stream.clock.now()))
    if row is None:
        raise RuntimeError("a request that was just written is not there")
    return shown_request(stream, row)


def accepted(asked: AskedOfWorker) -> Response:
    """Return the answer to a request that was left: 202, and where to look."""
    return Response(
        asked.model_dump_json(),
        status_code=202,
        media_type="application/json",
        headers={"Location": asked.url},
    )
