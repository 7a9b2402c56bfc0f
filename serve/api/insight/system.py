"""``GET /system``: every part that a stream needs, and whether one of them is red."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from fastapi import FastAPI
from pydantic import BaseModel, Field

from serve.api.insight.configuration import Setting, settings_of
from serve.api.insight.parts import Part, parts_of
from serve.api.lag import LagWatch, behind
from serve.api.metrics import HttpMetrics
from serve.api.models import with_example
from serve.api.monitoring.queries import moment
from serve.api.openapi import problems
from serve.api.served_stream import ServedStream, Streams
from stream.process import processor_seconds, resident_bytes
from stream.storage.identity import libraries
from stream.storage.store import StoredCheckpoint

_STARTED = time.time()


class PartitionLag(BaseModel):
    """How far the worker has read one partition."""

    partition: str = Field(description="Topic and number.")
    next: int = Field(description="Offset that the newest checkpoint goes on from.")
    end: int = Field(description="Offset of the next record that will be appended.")
    lag: int = Field(description="Records between them.")


class Stage(BaseModel):
    """Time of one stage of the worker or the API."""

    process: Literal["worker", "api"]
    stage: str
    seconds: float = Field(description="Spent since the process started.")
    share: float | None = Field(description="Of the process' busy time; null for the API.")
    per_record: float | None = Field(description="Seconds a record, or a request.")
    p50: float | None = Field(description="Of requests: from the histogram of /metrics.")
    p99: float | None


class Queue(BaseModel):
    """Something that waits, its limit, and what the limit has dropped."""

    queue: str
    waiting: int
    limit: int | None
    dropped: int = Field(description="Since the process or the stream began.")
    about: str


class Process(BaseModel):
    """A process of the stream."""

    process: Literal["worker", "api"]
    pid: int | None
    host: str | None
    memory_bytes: int | None = Field(description="Resident; the worker's as of its checkpoint.")
    processor_seconds: float | None
    started_at: datetime | None
    transport: str | None = Field(description="What carries the records of the event log.")


class CheckpointCost(BaseModel):
    """The newest checkpoint, and what checkpoints cost."""

    number: int
    created_at: datetime
    age_seconds: float
    seconds: float | None = Field(description="That the one before took.")
    share: float | None = Field(description="Of the worker's time since it started.")
    allowed: float = Field(description="checkpoint.share")
    epoch: int | None


class SystemAnswer(BaseModel):
    """Every part of a stream."""

    model_config = with_example(
        {
            "stream": "flights",
            "parts": [{"part": "log", "state": "ok", "detail": "sqlite:///log.db", "advice": None}],
            "partitions": [{"partition": "flights.events-0", "next": 990, "end": 1000, "lag": 10}],
            "partitions_trouble": None,
            "stages": [
                {
                    "process": "worker",
                    "stage": "handle",
                    "seconds": 31.5,
                    "share": 0.82,
                    "per_record": 0.000045,
                    "p50": None,
                    "p99": None,
                }
            ],
            "queues": [
                {
                    "queue": "predictions without a label",
                    "waiting": 52,
                    "limit": 1_000_000,
                    "dropped": 0,
                    "about": "labels.max_pending",
                }
            ],
            "processes": [
                {
                    "process": "api",
                    "pid": 4711,
                    "host": None,
                    "memory_bytes": 183_000_000,
                    "processor_seconds": 4.5,
                    "started_at": "2013-05-03T14:05:00Z",
                    "transport": "kafka-python",
                }
            ],
            "checkpoint": None,
            "versions": {"riverrun": "0.1.0", "river": "0.26.1"},
            "settings": [
                {"key": "stream.name", "value": "flights", "is_default": False, "hidden": False}
            ],
        }
    )

    stream: str
    parts: list[Part]
    partitions: list[PartitionLag] | None = Field(description="null where the log is away.")
    partitions_trouble: str | None
    stages: list[Stage]
    queues: list[Queue]
    processes: list[Process]
    checkpoint: CheckpointCost | None
    versions: dict[str, str]
    settings: list[Setting] = Field(description="The configuration; secrets are hidden.")


def add_system_routes(app: FastAPI, streams: Streams, http: HttpMetrics) -> None:
    """Add the route about the parts of a stream."""

    @app.get(
        "/v1/streams/{stream}/system",
        operation_id="system",
        summary="Every part of a stream, and whether one is red",
        description="Without asking the store or the log: they were asked at most seconds ago.",
        tags=["status"],
        responses=problems(404),
    )
    async def system(stream: str) -> SystemAnswer:
        served = streams.find(stream)
        return system_answer(served, http)


def system_answer(stream: ServedStream, http: HttpMetrics) -> SystemAnswer:
    """Return how every part of a stream is."""
    newest, now = stream.models.newest, stream.clock.now()
    status: Mapping[str, Any] = {} if newest is None else newest.status
    worker: Mapping[str, Any] = status.get("worker") or {}
    partitions = _partitions(stream.lag)
    return SystemAnswer(
        stream=stream.name,
        parts=parts_of(stream, now),
        partitions=partitions,
        partitions_trouble=stream.lag.trouble,
        stages=[*_worker_stages(worker), *_api_stages(http)],
        queues=_queues(stream, status),
        processes=[_api_process(stream), *_worker_process(worker)],
        checkpoint=_checkpoint(stream, newest, worker, now),
        versions=libraries(),
        settings=settings_of(stream.config),
    )


def _partitions(lag: LagWatch) -> list[PartitionLag] | None:
    if lag.ends is None:
        return None
    read = lag.offsets
    found = []
    for place, held in sorted(lag.ends.items()):
        following = max(held.earliest, read.get(str(place), held.earliest))
        found.append(
            PartitionLag(
                partition=str(place),
                next=following,
                end=max(held.end, following),  # the checkpoint may be newer than the last look
                lag=behind(held, following),
            )
        )
    return found


def _worker_stages(worker: Mapping[str, Any]) -> list[Stage]:
    seconds, records = dict(worker.get("stages") or {}), worker.get("records") or 0
    if "poll" in seconds:  # of which waiting for records is no work
        seconds["poll"] = max(0.0, seconds["poll"] - worker.get("idle_seconds", 0.0))
    busy = sum(seconds.values())
    return [
        Stage(
            process="worker",
            stage=name,
            seconds=spent,
            share=spent / busy if busy else None,
            per_record=spent / records if records else None,
            p50=None,
            p99=None,
        )
        for name, spent in seconds.items()
    ]


def _api_stages(http: HttpMetrics) -> list[Stage]:
    return [
        Stage(
            process="api",
            stage=route,
            seconds=round(times.seconds, 4),
            share=None,
            per_record=times.seconds / times.count if times.count else None,
            p50=times.quantile(0.5),
            p99=times.quantile(0.99),
        )
        for route, times in http.times().items()
        if "/predict" in route or route.endswith(("/events", "/labels", "/explain"))
    ]


def _queues(stream: ServedStream, status: Mapping[str, Any]) -> list[Queue]:
    counts, labels = status.get("counts") or {}, status.get("labels") or {}
    recorder, config = stream.recorder, stream.config
    return [
        Queue(
            queue="predictions without a label",
            waiting=counts.get("pending", 0),
            limit=config.labels.max_pending,
            dropped=labels.get("evicted", 0),
            about="labels.max_pending; the oldest are given up",
        ),
        Queue(
            queue="labels without an event",
            waiting=labels.get("early_waiting", 0),
            limit=None,
            dropped=labels.get("orphaned", 0) - labels.get("early_waiting", 0),
            about="labels that came before their event, or have none",
        ),
        Queue(
            queue="served predictions to be logged",
            waiting=len(recorder),
            limit=recorder.capacity,
            dropped=recorder.shed + recorder.lost,
            about="api.queue; what finds it full is served and not recorded",
        ),
        *(
            Queue(
                queue=f"alerts to {name}" if name != "mlflow" else "versions to mlflow",
                waiting=one.waiting,
                limit=config.alerts.queue,
                dropped=one.dropped,
                about=one.last_error or "delivered",
            )
            for name, one in stream.models.deliveries.items()
        ),
    ]


def _api_process(stream: ServedStream) -> Process:
    return Process(
        process="api",
        pid=os.getpid(),
        host=None,
        memory_bytes=resident_bytes(),
        processor_seconds=round(processor_seconds(), 2),
        started_at=moment(_STARTED),
        transport=stream.log.transport,
    )


def _worker_process(worker: Mapping[str, Any]) -> list[Process]:
    if not worker:
        return []
    return [
        Process(
            process="worker",
            pid=worker.get("pid"),
            host=worker.get("host"),
            memory_bytes=worker.get("memory_bytes"),
            processor_seconds=None,
            started_at=None,
            transport=worker.get("transport"),
        )
    ]


def _checkpoint(
    stream: ServedStream, newest: StoredCheckpoint | None, worker: Mapping[str, Any], now: float
) -> CheckpointCost | None:
    made = None if newest is None else moment(newest.created_at)
    if newest is None or made is None:
        return None
    seconds = worker.get("stages") or {}
    whole = sum(seconds.values())
    return CheckpointCost(
        number=newest.number,
        created_at=made,
        age_seconds=round(max(0.0, now - newest.created_at), 3),
        seconds=newest.status.get("checkpoint_seconds"),
        share=seconds.get("checkpoint", 0.0) / whole if whole else None,
        allowed=stream.config.checkpoint.share,
        epoch=newest.status.get("epoch"),
    )
