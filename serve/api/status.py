"""What streams there are, and how each of them is."""

from __future__ import annotations

import msgspec
from fastapi import FastAPI

from monitor.trigger import State
from serve.api.models import (
    Checkpoint,
    MonitorStatus,
    Serving,
    StreamList,
    StreamStatus,
    StreamSummary,
)
from serve.api.openapi import problems
from serve.api.served_stream import ServedStream, Streams


def add_status_routes(app: FastAPI, streams: Streams) -> None:
    """Add the routes that list streams and show their status."""

    @app.get(
        "/v1/streams", operation_id="list_streams", summary="The streams served", tags=["status"]
    )
    async def list_streams() -> StreamList:
        return StreamList(streams=[_summary(stream) for stream in streams])

    @app.get("/v1/streams/{stream}/", include_in_schema=False)
    @app.get(
        "/v1/streams/{stream}",
        operation_id="stream_status",
        summary="The status of a stream",
        tags=["status"],
        responses=problems(404),
    )
    async def stream_status(stream: str) -> StreamStatus:
        return status_of_stream(streams.find(stream))


def status_of_stream(stream: ServedStream) -> StreamStatus:
    """Return how a stream is, without asking the store or the log."""
    newest = stream.models.newest
    now = stream.clock.now()
    checkpoint = None
    if newest is not None:
        checkpoint = Checkpoint(
            number=newest.number,
            model_version=newest.version,
            created_at=newest.created_at,
            age_seconds=round(max(0.0, now - newest.created_at), 3),
        )
    return StreamStatus(
        stream=stream.name,
        task=stream.config.model.task,
        parts=stream.parts(),
        serving=_serving(stream, now),
        checkpoint=checkpoint,
        monitor=_monitor(stream),
        status=stream.status or None,
        deliveries=msgspec.to_builtins(stream.models.deliveries),
    )


def _serving(stream: ServedStream, now: float) -> Serving:
    live, recorder = stream.models.live, stream.recorder
    return Serving(
        checkpoint=None if live is None else live.number,
        model_version=None if live is None else live.version,
        learned_offset=None if live is None else live.learned_offset,
        staleness_seconds=None if live is None else round(max(0.0, now - live.created_at), 3),
        predictions=stream.answered,
        recording=len(recorder),
        recorded=recorder.appended,
        shed=recorder.shed,
        lost=recorder.lost,
    )


def _monitor(stream: ServedStream) -> MonitorStatus | None:
    newest = stream.models.newest
    found = {} if newest is None else newest.status.get("monitor")
    if not found or not stream.config.monitor.enabled:
        return None
    last, warm_up = found["last_pane"] or {}, found["warm_up"]
    return MonitorStatus(
        state=found["state"],
        learning=found["state"] != State.HALTED,
        warm_up_events=None if warm_up is None else warm_up["events"],
        pane=last.get("index"),
        alarms=[name for role, name in last.get("alarms", ()) if role == "feature"],
        concept_ratio=found["concept"]["ratio"],
        url=f"/v1/streams/{stream.name}/drift",
    )


def _summary(stream: ServedStream) -> StreamSummary:
    live = stream.models.live
    return StreamSummary(
        name=stream.name,
        task=stream.config.model.task,
        model_version=None if live is None else live.version,
        url=f"/v1/streams/{stream.name}",
    )
