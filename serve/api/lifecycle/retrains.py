"""``/retrains``, ``/requests``: runs, asking for one, calling one off."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Path
from starlette.requests import Request
from starlette.responses import Response

from serve.api.auth.caller import actor_of
from serve.api.lifecycle.asking import (
    accepted,
    ask,
    read_reason,
    refuse_where_nothing_is_kept,
)
from serve.api.lifecycle.reading import shown_request, shown_run
from serve.api.lifecycle.shapes import AskedOfWorker, Retrain, Retrains
from serve.api.monitoring.queries import Page, cursor_of, page
from serve.api.openapi import body, problems
from serve.api.problems import ProblemError, problem_of
from serve.api.served_stream import ServedStream, Streams
from stream.storage.audit import Actor
from stream.storage.store import Store

_TAGS: list[str | Enum] = ["retraining"]
_HINT = (
    "The request stands in the store, and a running worker carries it out within a second or two: "
    "look at `url`. Who asked, and why, stands in the audit (`/audit`)."
)
Number = Annotated[int, Path(ge=1, le=2**53)]


def add_retrain_routes(app: FastAPI, streams: Streams) -> None:
    """Add the routes about runs and requests."""
    _add_reading(app, streams)
    _add_asking(app, streams)


def _add_reading(app: FastAPI, streams: Streams) -> None:
    @app.get(
        "/v1/streams/{stream}/retrains",
        operation_id="list_retrains",
        summary="Retraining runs, the newest first",
        tags=_TAGS,
        response_model=Retrains,
        responses=problems(404, 422, 503),
    )
    async def list_retrains(stream: str, asked: Annotated[Page, Depends(page)]) -> Response:
        served = streams.find(stream)

        def make() -> Retrains:
            store = served.history.store
            last = store.runs.last()[0]
            before = asked.after(int)
            newest = last if before is None else min(last, before - 1)
            oldest = max(1, newest - asked.limit + 1)
            shown = _runs(store, oldest, newest) if newest >= 1 else []
            return Retrains(retrains=shown, next=cursor_of(oldest) if oldest > 1 else None)

        return await served.history.answer(make)

    @app.get(
        "/v1/streams/{stream}/retrains/{run}",
        operation_id="show_retrain",
        summary="One run: what happened to it, and how far it is",
        tags=_TAGS,
        response_model=Retrain,
        responses=problems(404, 422, 503),
    )
    async def show_retrain(stream: str, run: Number) -> Response:
        served = streams.find(stream)
        return await served.history.answer(lambda: _one(served, run))

    @app.get(
        "/v1/streams/{stream}/requests/{request_id}",
        operation_id="show_request",
        summary="What became of a request",
        tags=_TAGS,
        response_model=AskedOfWorker,
        responses=problems(404, 422, 503),
    )
    async def show_request(stream: str, request_id: Number) -> Response:
        served = streams.find(stream)

        def make() -> AskedOfWorker:
            row = served.history.store.runs.request(request_id)
            if row is None:
                detail = f"there is no request {request_id} of {served.name!r}"
                raise ProblemError(problem_of(404, "unknown_request", detail))
            return shown_request(served, row)

        return await served.history.answer(make)


def _add_asking(app: FastAPI, streams: Streams) -> None:
    @app.post(
        "/v1/streams/{stream}/retrains",
        operation_id="ask_for_retrain",
        summary="Ask for a challenger",
        description="It must prove itself before it serves. Where a run is under way, the request "
        f"is added to it. {_HINT}",
        tags=_TAGS,
        status_code=202,
        response_model=AskedOfWorker,
        responses=problems(400, 404, 409, 413, 415, 422, 503),
        openapi_extra=body("Reason"),
    )
    async def ask_for_retrain(stream: str, request: Request) -> Response:
        served = streams.find(stream)
        detail = {"reason": await read_reason(request)}
        refuse_where_nothing_is_kept(served)
        make = _asking(served, "retrain", detail, actor_of(request))
        return accepted(await served.history.read(make))

    @app.post(
        "/v1/streams/{stream}/retrains/{run}/cancel",
        operation_id="cancel_retrain",
        summary="Call a run off",
        description=f"The champion stays. {_HINT}",
        tags=_TAGS,
        status_code=202,
        response_model=AskedOfWorker,
        responses=problems(400, 404, 409, 413, 415, 422, 503),
        openapi_extra=body("Reason"),
    )
    async def cancel_retrain(stream: str, run: Number, request: Request) -> Response:
        served = streams.find(stream)
        reason = await read_reason(request)
        refuse_where_nothing_is_kept(served)

        def make() -> AskedOfWorker:
            found = _one(served, run)
            if not found.is_under_way or found.state in ("promoted", "probation"):
                detail = f"run {run} cannot be called off: {found.sentence}"
                raise ProblemError(problem_of(409, "not_under_way", detail))
            return ask(served, "cancel", {"reason": reason, "run": run}, actor_of(request))

        return accepted(await served.history.read(make))


def _asking(stream: ServedStream, kind: str, detail: Mapping[str, Any], by: Actor) -> Any:
    return lambda: ask(stream, kind, detail, by)


def _one(stream: ServedStream, run: int) -> Retrain:
    found = _runs(stream.history.store, run, run)
    if not found:
        detail = f"there is no run {run} of {stream.name!r}"
        raise ProblemError(problem_of(404, "unknown_run", detail))
    return found[0]


def _runs(store: Store, oldest: int, newest: int) -> list[Retrain]:
    """Return the runs of a range of numbers, the newest first."""
    by_run: dict[int, list[dict[str, Any]]] = {}
    for change in reversed(store.runs.changes(limit=None, runs=(oldest, newest))):
        by_run.setdefault(change["run"], []).append(change)
    checkpoint = store.newest()
    status = {} if checkpoint is None else checkpoint.status.get("retrain") or {}
    under_way = status.get("run") or {}
    return [shown_run(store, run, by_run[run], under_way) for run in sorted(by_run, reverse=True)]
