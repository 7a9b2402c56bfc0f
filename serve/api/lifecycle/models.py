"""``/models``, ``/rollback``: versions, and putting one in place."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

from fastapi import Depends, FastAPI
from starlette.requests import Request
from starlette.responses import Response

from serve.api.auth.caller import actor_of
from serve.api.lifecycle.asking import (
    accepted,
    ask,
    read_reason,
    refuse_where_nothing_is_kept,
)
from serve.api.lifecycle.reading import (
    VersionsCache,
    found_version,
    shown_details,
    shown_version,
)
from serve.api.lifecycle.shapes import AskedOfWorker, ModelDetails, ModelVersions
from serve.api.monitoring.queries import Page, cursor_of, page
from serve.api.openapi import body, problems
from serve.api.problems import ProblemError, problem_of
from serve.api.served_stream import Streams
from serve.model_exchange import full_details
from stream.versions import served_before

_TAGS: list[str | Enum] = ["retraining"]
_HINT = (
    "The request stands in the store, and a running worker carries it out within a second or two: "
    "look at `url`. Who asked, and why, stands in the audit (`/audit`)."
)


def add_model_routes(app: FastAPI, streams: Streams) -> None:
    """Add the routes about versions."""
    cache = VersionsCache()
    _add_reading(app, streams, cache)
    _add_asking(app, streams, cache)


def _add_reading(app: FastAPI, streams: Streams, cache: VersionsCache) -> None:
    @app.get(
        "/v1/streams/{stream}/models",
        operation_id="list_models",
        summary="Versions of the model, the newest first",
        tags=_TAGS,
        response_model=ModelVersions,
        responses=problems(404, 422, 503),
    )
    async def list_models(stream: str, asked: Annotated[Page, Depends(page)]) -> Response:
        served = streams.find(stream)

        def make() -> ModelVersions:
            versions = cache.of(served)
            names = versions.names()[::-1]
            if (before := asked.after(str)) is not None:
                names = names[names.index(before) + 1 :] if before in names else []
            shown = names[: asked.limit]
            return ModelVersions(
                serving=versions.serving,
                models=[shown_version(versions.one(name)) for name in shown],
                next=cursor_of(shown[-1]) if len(names) > len(shown) else None,
            )

        return await served.history.answer(make)

    @app.get(
        "/v1/streams/{stream}/models/{version}",
        operation_id="show_model",
        summary="Why a version is there, and on what it was trained",
        tags=_TAGS,
        response_model=ModelDetails,
        responses=problems(404, 503),
    )
    async def show_model(stream: str, version: str) -> Response:
        served = streams.find(stream)

        def make() -> ModelDetails:
            one = found_version(cache.of(served), version)
            store = served.history.store
            return shown_details(one, full_details(store, served.config, version))

        return await served.history.answer(make)


def _add_asking(app: FastAPI, streams: Streams, cache: VersionsCache) -> None:
    @app.post(
        "/v1/streams/{stream}/models/{version}/promote",
        operation_id="promote_model",
        summary="Put a kept version in place, without asking the gate",
        description=f"The version that serves now goes on in the shadow for the probation. {_HINT}",
        tags=_TAGS,
        status_code=202,
        response_model=AskedOfWorker,
        responses=problems(400, 404, 409, 413, 415, 422, 503),
        openapi_extra=body("Reason"),
    )
    async def promote_model(stream: str, version: str, request: Request) -> Response:
        served = streams.find(stream)
        reason = await read_reason(request)
        refuse_where_nothing_is_kept(served)

        def make() -> AskedOfWorker:
            one = found_version(cache.of(served), version)
            if not one.can_be_promoted:
                detail = f"{version} cannot be promoted: it is {one.state.replace('_', ' ')}"
                raise ProblemError(problem_of(409, "not_promotable", detail))
            asked = {"version": version, "reason": reason}
            return ask(served, "promote", asked, actor_of(request))

        return accepted(await served.history.read(make))

    @app.post(
        "/v1/streams/{stream}/rollback",
        operation_id="rollback_model",
        summary="Put the version back that served before",
        description=f"Within the probation it is as it has learned on in the shadow. {_HINT}",
        tags=_TAGS,
        status_code=202,
        response_model=AskedOfWorker,
        responses=problems(400, 404, 409, 413, 415, 422, 503),
        openapi_extra=body("Reason"),
    )
    async def rollback_model(stream: str, request: Request) -> Response:
        served = streams.find(stream)
        reason = await read_reason(request)
        refuse_where_nothing_is_kept(served)

        def make() -> AskedOfWorker:
            versions = cache.of(served)
            serving = versions.serving
            if serving is None or served_before(versions.all_changes, serving) is None:
                detail = f"nothing served before {serving or 'the first checkpoint'}"
                raise ProblemError(problem_of(409, "nothing_before", detail))
            return ask(served, "rollback", {"reason": reason}, actor_of(request))

        return accepted(await served.history.read(make))
