"""``GET /anomaly-series``: counts of anomalies by kind, pane by pane."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Annotated

from fastapi import Depends, FastAPI
from pydantic import BaseModel, Field
from starlette.responses import Response

from monitor.anomalies import KINDS
from serve.api.models import with_example
from serve.api.monitoring.anomalies import EVENT_KINDS
from serve.api.monitoring.drift import next_of
from serve.api.monitoring.queries import Page, TimeRange, moment, page, time_range
from serve.api.monitoring.reader import HistoryReader
from serve.api.monitoring.stage import Watched, stage_of, watched_stream
from serve.api.openapi import problems
from serve.api.served_stream import Streams
from serve.stored_monitor import pane_of
from stream.storage.history import PaneKey, StoredPane


class PaneAnomalies(BaseModel):
    """How many anomalies one closed pane had."""

    index: int
    first: datetime | None = Field(description="Smallest event time.")
    last: datetime | None
    events: int
    errors: int = Field(description="Events with an error of the schema.")
    state: str
    counts: dict[str, int] = Field(description="By kind; kinds without any are left out.")


class AnomalySeriesAnswer(Watched):
    """Anomalies over time, newest first."""

    model_config = with_example(
        {
            "stream": "flights",
            "checkpoint": 812,
            "state": "OK",
            "warm_up": None,
            "note": None,
            "panes": [
                {
                    "index": 57,
                    "first": "2013-07-12T20:10:00Z",
                    "last": "2013-07-12T22:01:00Z",
                    "events": 1000,
                    "errors": 0,
                    "state": "OK",
                    "counts": {"out_of_range": 31},
                }
            ],
            "next": None,
        }
    )

    panes: list[PaneAnomalies]
    next: str | None = Field(description="Cursor of the next page; null on the last.")


def add_anomaly_series_routes(app: FastAPI, streams: Streams) -> None:
    """Add the route that counts anomalies over time."""

    @app.get(
        "/v1/streams/{stream}/anomaly-series",
        operation_id="anomaly_series",
        summary="Anomalies by kind, pane by pane",
        description="Optional features that are missing are no anomaly, and not counted.",
        tags=["monitor"],
        response_model=AnomalySeriesAnswer,
        responses=problems(404, 422, 503),
    )
    async def anomaly_series(
        stream: str,
        wanted: Annotated[TimeRange, Depends(time_range)],
        part: Annotated[Page, Depends(page)],
    ) -> Response:
        history = watched_stream(streams, stream).history
        before = part.after(PaneKey)
        return await history.answer(
            lambda: series_answer(history, stream, wanted, part.limit, before)
        )


def series_answer(
    history: HistoryReader, stream: str, wanted: TimeRange, limit: int, before: PaneKey | None
) -> AnomalySeriesAnswer:
    """Return a page of panes with their counts."""
    newest, schema = history.store.newest(), history.drift.schema()
    required = {one.name for one in schema.features if one.required} if schema else set()
    panes = history.store.history.panes(*wanted, limit=limit + 1, before=before, scores=False)
    return AnomalySeriesAnswer(
        **stage_of(stream, newest),
        panes=[_pane(stored, required) for stored in panes[:limit]],
        next=next_of(panes, limit),
    )


def _pane(stored: StoredPane, required: set[str]) -> PaneAnomalies:
    row, counts = stored.row, Counter[str]()
    for (tallied, feature), count in pane_of(stored).tallies.items():
        kind = EVENT_KINDS.get(tallied, tallied)
        if kind in KINDS and (kind != "missing_feature" or feature in required):
            counts[kind] += count
    counts.update(anomaly.kind for anomaly in row.summary.anomalies)
    return PaneAnomalies(
        index=row.index,
        first=moment(row.first),
        last=moment(row.last),
        events=row.events,
        errors=row.errors,
        state=row.summary.state,
        counts={kind: count for kind, count in counts.items() if count},
    )
