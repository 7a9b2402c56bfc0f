"""``GET /history``: the recent past as this process saw it; ``GET /happenings``: what happened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from serve.api.insight.sampler import COARSE_SECONDS, FINE_SECONDS, Sampler
from serve.api.models import with_example
from serve.api.monitoring.queries import moment
from serve.api.openapi import problems
from serve.api.served_stream import Streams
from stream.storage.store import Store

Severity = Literal["bad", "warn", "ok", "info"]
_MOST = 200


class SamplePoint(BaseModel):
    """The stream at one moment."""

    at: datetime
    read: int | None = Field(description="Records the worker had read; null before a checkpoint.")
    per_second: float | None = Field(description="Records a second, events and labels.")
    lag: int | None = Field(description="Records not yet read; null while the log is away.")
    score: float | None = Field(description="The first metric of the last labels.")
    coverage: float | None = Field(description="Labels over predictions.")
    staleness: float | None = Field(description="Age of the served model's checkpoint, seconds.")
    memory: int | None = Field(description="Of this process, in bytes.")


class HistoryAnswer(BaseModel):
    """The recent past of a stream, oldest first."""

    model_config = with_example(
        {
            "stream": "flights",
            "metric": "ROCAUC",
            "every_seconds": 2.0,
            "samples": [
                {
                    "at": "2013-05-03T14:05:00Z",
                    "read": 812_000,
                    "per_second": 1830.5,
                    "lag": 12,
                    "score": 0.71,
                    "coverage": 0.97,
                    "staleness": 0.8,
                    "memory": 183_000_000,
                }
            ],
        }
    )

    stream: str
    metric: str = Field(description="Which one `score` is.")
    every_seconds: float
    samples: list[SamplePoint] = Field(
        description="In the memory of this process: since it started, at most a quarter of an hour "
        "every two seconds, or a day by minutes. Prometheus is the long memory."
    )


class Happening(BaseModel):
    """Something a person should know of."""

    at: datetime = Field(description="When it was written down.")
    time: datetime | None = Field(description="Event time, where it has one.")
    kind: str
    severity: Severity
    sentence: str
    run: int | None = Field(description="The retraining run that it is about.")
    version: str | None


class HappeningsAnswer(BaseModel):
    """What happened, newest first."""

    model_config = with_example(
        {
            "stream": "flights",
            "happenings": [
                {
                    "at": "2013-05-03T14:05:00Z",
                    "time": "2013-05-03T14:04:12Z",
                    "kind": "promoted",
                    "severity": "ok",
                    "sentence": "v2 is better than v1 on 812 events.",
                    "run": 1,
                    "version": "v2",
                }
            ],
        }
    )

    stream: str
    happenings: list[Happening]


def add_history_routes(app: FastAPI, streams: Streams, samplers: Mapping[str, Sampler]) -> None:
    """Add the routes about the recent past."""

    @app.get(
        "/v1/streams/{stream}/history",
        operation_id="history",
        summary="The recent past: rate, lag, score, coverage, memory",
        tags=["status"],
        responses=problems(404, 422),
    )
    async def history(
        stream: str,
        every: Annotated[
            Literal["2s", "1m"], Query(description="How fine: 15 minutes of it, or a day.")
        ] = "2s",
    ) -> HistoryAnswer:
        served = streams.find(stream)
        fine = every == "2s"
        return HistoryAnswer(
            stream=served.name,
            metric=served.config.metric_names[0],
            every_seconds=FINE_SECONDS if fine else COARSE_SECONDS,
            samples=[SamplePoint(**_shown(one)) for one in samplers[stream].samples(fine=fine)],
        )

    @app.get(
        "/v1/streams/{stream}/happenings",
        operation_id="happenings",
        summary="What happened, newest first",
        tags=["status"],
        response_model=HappeningsAnswer,
        responses=problems(404, 422, 503),
    )
    async def happenings(
        stream: str, limit: Annotated[int, Query(ge=1, le=_MOST, description="At most.")] = 20
    ) -> Response:
        served = streams.find(stream)
        store = served.history.store
        return await served.history.answer(
            lambda: HappeningsAnswer(stream=served.name, happenings=newest_of(store, limit))
        )


def newest_of(store: Store, limit: int) -> list[Happening]:
    """Return what happened last: what was written down, and what became of runs."""
    told = [one for row in store.happenings(limit) for one in _happened(row)]
    told += [_of_run(row) for row in store.runs.changes(limit)]
    return sorted(told, key=lambda one: one.at, reverse=True)[:limit]


def _shown(sample: Any) -> dict[str, Any]:
    return asdict(sample) | {"at": moment(sample.at)}


_STATES: dict[str, Severity] = {
    "promoted": "ok",
    "kept": "ok",
    "failed": "bad",
    "rolled_back": "warn",
    "rejected": "info",
}
_KINDS: dict[str, tuple[Severity, str]] = {
    "halted": ("bad", "The worker stopped"),
    "schema_refused": ("bad", "The corrected schema is wrong"),
    "checkpoint_damaged": ("bad", "A checkpoint is damaged and was passed over"),
    "gap": ("warn", "Records expired unread, and the worker went on behind them"),
    "log_truncated": ("warn", "The log ends before a checkpoint"),
    "log_replaced": ("warn", "A topic was made anew"),
    "restored": ("warn", "The store was restored from a backup"),
    "went_back": ("warn", "The worker went back to an older checkpoint"),
    "rebuild": ("info", "The state is built anew from the log"),
    "reference": ("info", "The warm-up is over: schema and reference are made"),
    "schema": ("info", "The schema was corrected"),
    "pane_damaged": ("bad", "A shard's counts are damaged and were left out"),
    "panes_missed": ("bad", "Counts of a shard were forgotten before they could be added up"),
}
_NAMED = 3


def _happened(row: Mapping[str, Any]) -> Iterator[Happening]:
    kind, detail = row["kind"], row["detail"]
    if kind == "pane":
        severity, sentence = _pane(detail)
    elif kind == "concept_drift":
        drift = detail["drift"]
        since = moment(drift["since_time"])
        when = "" if since is None else f" since {since:%d %b %Y, %H:%M}"
        severity, sentence = "warn", f"The concept drifted{when}, says {drift['by']}"
    else:
        severity, sentence = _KINDS.get(kind, ("info", kind.replace("_", " ")))
        if reason := detail.get("message") or detail.get("reason"):
            sentence = f"{sentence}: {reason}"
    time = detail.get("time")
    made = moment(row["at"])
    if made is not None:
        yield Happening(
            at=made,
            time=None if time is None else moment(time / 1000),
            kind=kind,
            severity=severity,
            sentence=sentence,
            run=None,
            version=None,
        )


def _pane(detail: Mapping[str, Any]) -> tuple[Severity, str]:
    names = [str(name) for name in detail.get("alarms", ())]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    about = ", ".join(names[:_NAMED]) + more
    wanted, pane = detail.get("wanted", ()), detail.get("pane")
    if "pause" in wanted:
        share = detail["signals"]["error_fraction"]
        return "bad", f"Learning is paused: {share:.1%} of window {pane} breaks the schema"
    if "resume" in wanted:
        return "ok", f"Learning goes on: window {pane} is clean again"
    if detail.get("state") == "DRIFT":
        return "warn", f"Drift in window {pane}" + (f": {about}" if about else ": the loss changed")
    return "warn", f"Values have shifted in window {pane}" + (f": {about}" if about else "")


def _of_run(row: Mapping[str, Any]) -> Happening:
    made = moment(row["at"])
    if made is None:
        raise ValueError(f"{row['at']} is no time")
    return Happening(
        at=made,
        time=moment(row["time"] / 1000),
        kind=row["state"],
        severity=_STATES.get(row["state"], "info"),
        sentence=row["sentence"],
        run=row["run"] or None,
        version=row["version"] or None,
    )
