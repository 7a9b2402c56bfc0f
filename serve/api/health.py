"""``/healthz``, ``/readyz`` and ``/metrics``: what machines ask."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.responses import Response

from serve.api.exposition import Exposition
from serve.api.models import Alive, Ready
from serve.api.openapi import problems
from serve.api.problems import Problem, ProblemError, problem_of
from serve.api.served_stream import Streams

_GREEN = ("ok", "none yet")
_TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8"


def add_health_routes(app: FastAPI, streams: Streams, exposition: Exposition) -> None:
    """Add the routes for orchestrators and for Prometheus."""

    @app.get("/healthz", operation_id="healthz", summary="Is the process alive?", tags=["health"])
    async def healthz() -> Alive:
        return Alive()

    @app.get(
        "/readyz",
        operation_id="readyz",
        summary="Does everything work?",
        description="Ready where the store answers, its newest model is loaded (or there is none "
        "yet, and the stream is new), and the log accepts.",
        tags=["health"],
        responses=problems(503),
    )
    async def readyz() -> Ready:
        problem = not_ready(streams)
        if problem is not None:
            raise ProblemError(problem)
        return Ready(parts={stream.name: stream.parts() for stream in streams})

    @app.get(
        "/metrics",
        operation_id="metrics",
        summary="Metrics for Prometheus",
        tags=["health"],
        response_class=Response,
        responses={200: {"content": {"text/plain": {}}, "description": "Prometheus' text format"}},
    )
    async def metrics() -> Response:
        return Response(await exposition.text(), media_type=_TEXT_FORMAT)


def not_ready(streams: Streams) -> Problem | None:
    """Return what keeps the streams from being served in full; None where nothing does."""
    parts = {stream.name: stream.parts() for stream in streams}
    red = [
        f"{name}: {part}: {state}"
        for name, states in parts.items()
        for part, state in states.items()
        if state not in _GREEN
    ]
    return problem_of(503, "not_ready", "; ".join(red), parts=parts) if red else None
