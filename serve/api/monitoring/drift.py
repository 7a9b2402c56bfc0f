"""``GET /drift``: the state of the monitor, and what it said of each closed pane."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI
from pydantic import BaseModel, Field
from starlette.responses import Response

from serve.api.models import with_example
from serve.api.monitoring.queries import Page, TimeRange, cursor_of, moment, page, time_range
from serve.api.monitoring.reader import HistoryReader
from serve.api.monitoring.stage import (
    Role,
    Severity,
    State,
    Watched,
    monitor_of,
    stage_of,
    watched_stream,
)
from serve.api.openapi import problems
from serve.api.served_stream import Streams
from stream.storage.history import PaneKey, StoredPane

Action = Literal["alert", "pause", "resume", "retrain", "challenge", "labels", "limited"]


class ColumnName(BaseModel):
    """A column: a feature, the prediction or the label."""

    role: Role
    name: str


class Signals(BaseModel):
    """What one closed pane says; 1 is the threshold of each but the error fraction."""

    error_fraction: float = Field(description="Share of events with an error of the schema.")
    value_skew: float = Field(description="Largest distance over threshold of the features.")
    prediction_skew: float = Field(description="The same of the prediction.")
    label_skew: float = Field(description="The same of the label.")
    concept: float = Field(description="Evidence that the loss changed over what is needed.")
    unlabelled: float = Field(
        1.0,
        description="Share of the newest events without a label. Only above one half is a shift of "
        "the predictions alone a warning: else the loss tells what it is worth.",
    )


class PaneAnomaly(BaseModel):
    """Something wrong with a pane as a whole."""

    kind: str
    feature: str
    severity: Severity
    found: str
    expected: str


class ConceptChange(BaseModel):
    """A change of concept that the losses showed."""

    by: str = Field(description="betting (the anytime-valid test), or River's detector.")
    found_at: datetime | None = Field(description="Event time of the loss at which it was found.")
    since: datetime | None = Field(description="Estimated last moment before the change.")
    losses: int = Field(description="From the change to its detection.")


class PaneDrift(BaseModel):
    """What the monitor said when a pane closed; it is never changed afterwards."""

    index: int = Field(description="Number of the pane, from 0; a rebuild begins anew.")
    version: str = Field(description="The model version that predicted.")
    first: datetime | None = Field(description="Smallest event time.")
    last: datetime | None = Field(description="Largest event time.")
    events: int
    errors: int = Field(description="Events with an error of the schema.")
    state: State = Field(description="After this pane.")
    actions: list[Action] = Field(description="What was wanted then.")
    signals: Signals
    alarms: list[ColumnName] = Field(description="Columns in alarm, the most suspicious first.")
    layout: str = Field(description="Its bins; a key of `layouts`.")
    ratios: list[float | None] = Field(
        description="Largest distance over threshold of each column of the layout, in its order; "
        "at least 1 is an alarm. null: too few values. Empty: nothing was compared."
    )
    anomalies: list[PaneAnomaly]
    drifts: list[ConceptChange] = Field(description="Found while the pane was open.")


class ReferenceAbout(BaseModel):
    """What current events are compared with."""

    version: str
    events: int
    layout: str


class DriftAnswer(Watched):
    """The state of the monitor, and closed panes, newest first."""

    model_config = with_example(
        {
            "stream": "flights",
            "checkpoint": 812,
            "state": "WARNING",
            "warm_up": None,
            "note": None,
            "signals": {
                "error_fraction": 0.0,
                "value_skew": 1.7,
                "prediction_skew": 0.4,
                "label_skew": 0.0,
                "concept": 0.12,
            },
            "reference": {"version": "v1", "events": 10000, "layout": "8d1c3f5ab7c2e904"},
            "versions": ["v1"],
            "layouts": {
                "8d1c3f5ab7c2e904": [
                    {"role": "feature", "name": "distance"},
                    {"role": "prediction", "name": "prediction"},
                ]
            },
            "panes": [
                {
                    "index": 57,
                    "version": "v1",
                    "first": "2013-07-12T20:10:00Z",
                    "last": "2013-07-12T22:01:00Z",
                    "events": 1000,
                    "errors": 0,
                    "state": "WARNING",
                    "actions": ["alert", "challenge"],
                    "signals": {
                        "error_fraction": 0.0,
                        "value_skew": 1.7,
                        "prediction_skew": 0.4,
                        "label_skew": 0.0,
                        "concept": 0.12,
                    },
                    "alarms": [{"role": "feature", "name": "distance"}],
                    "layout": "8d1c3f5ab7c2e904",
                    "ratios": [1.7, 0.4],
                    "anomalies": [],
                    "drifts": [],
                }
            ],
            "next": "kgM5",
        }
    )

    signals: Signals | None = Field(description="Of the newest closed pane.")
    reference: ReferenceAbout | None = Field(description="That of the present.")
    versions: list[str] = Field(description="Versions that have a reference, oldest first.")
    layouts: dict[str, list[ColumnName]] = Field(
        description="The columns behind the ratios of these panes. A layout whose reference is "
        "gone is not among them."
    )
    panes: list[PaneDrift]
    next: str | None = Field(description="Cursor of the next page; null on the last.")


def add_drift_routes(app: FastAPI, streams: Streams) -> None:
    """Add the route that shows the monitor over time."""

    @app.get(
        "/v1/streams/{stream}/drift",
        operation_id="drift",
        summary="The monitor over time",
        description="Closed panes, newest first, with what was said when each closed. Panes that "
        "close while pages are read come before the first page, and move nothing.",
        tags=["monitor"],
        response_model=DriftAnswer,
        responses=problems(404, 422, 503),
    )
    async def drift(
        stream: str,
        wanted: Annotated[TimeRange, Depends(time_range)],
        part: Annotated[Page, Depends(page)],
    ) -> Response:
        history = watched_stream(streams, stream).history
        before = part.after(PaneKey)
        return await history.answer(
            lambda: drift_answer(history, stream, wanted, part.limit, before)
        )


def drift_answer(
    history: HistoryReader,
    stream: str,
    wanted: TimeRange,
    limit: int,
    before: PaneKey | None,
) -> DriftAnswer:
    """Return the state, and a page of panes."""
    newest = history.store.newest()
    about = monitor_of(newest)
    panes = history.store.history.panes(
        *wanted, limit=limit + 1, before=before, data=False, scores=False
    )
    shown, last = panes[:limit], about.get("last_pane")
    layouts = history.drift.layouts((one.row.version, one.row.layout) for one in shown)
    reference = about.get("reference")
    if reference is not None and newest is not None:
        reference = {"version": newest.version} | reference
    return DriftAnswer(
        **stage_of(stream, newest),
        signals=None if last is None else last["signals"],
        reference=reference,
        versions=history.store.history.versions(),
        layouts={
            fingerprint: [ColumnName(role=c.role, name=c.name) for c in layout.columns]
            for fingerprint, layout in layouts.items()
        },
        panes=[_pane(stored) for stored in shown],
        next=next_of(panes, limit),
    )


def next_of(panes: list[StoredPane], limit: int) -> str | None:
    """Return the cursor behind a page, given one pane more where there is one."""
    return cursor_of(panes[limit - 1].key) if len(panes) > limit else None


def _pane(stored: StoredPane) -> PaneDrift:
    row, summary = stored.row, stored.row.summary
    fields: dict[str, Any] = {
        "index": row.index,
        "version": row.version,
        "first": moment(row.first),
        "last": moment(row.last),
        "events": row.events,
        "errors": row.errors,
        "state": summary.state,
        "actions": summary.actions,
        "signals": summary.signals,
        "alarms": [{"role": role, "name": name} for role, name in summary.alarms],
        "layout": row.layout,
        "ratios": summary.ratios,
        "anomalies": [
            {name: getattr(anomaly, name) for name in PaneAnomaly.model_fields}
            for anomaly in summary.anomalies
        ],
        "drifts": [
            ConceptChange(
                by=drift.by,
                found_at=moment(drift.at_time),
                since=moment(drift.since_time),
                losses=drift.losses,
            )
            for drift in summary.drifts
        ],
    }
    return PaneDrift(**fields)
