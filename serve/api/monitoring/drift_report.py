"""``GET /drift-report``: the test of any span of the past against any version's reference."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, FastAPI, Query
from pydantic import Field
from starlette.responses import Response

from monitor.reference import Reference
from serve.api.models import with_example
from serve.api.monitoring.columns import COLUMN_EXAMPLE, ColumnReport, column_report
from serve.api.monitoring.drift import ReferenceAbout
from serve.api.monitoring.queries import TimeRange, time_range
from serve.api.monitoring.reader import HistoryReader
from serve.api.monitoring.stage import Covered, Watched, covered, stage_of, watched_stream
from serve.api.openapi import problems
from serve.api.served_stream import Streams
from serve.drift_history import SpanDrift

PANES_MAX = 100_000

Against = Annotated[
    str | None,
    Query(
        max_length=64,
        description="The version whose reference is compared with; default the present one.",
        examples=["v1"],
    ),
]
LastPanes = Annotated[
    int | None,
    Query(
        ge=1,
        le=PANES_MAX,
        description="Only the newest so many panes of the range. Default: all of it; without a "
        "range, as many as the longest of monitor.spans.",
    ),
]


class Span(Covered):
    """The panes that were merged and tested as one."""

    skipped: int = Field(
        description="Panes in the range that were counted with other bins than the reference's, "
        "and cannot be compared with it."
    )


class DriftReportAnswer(Watched):
    """The test of one span: every column, the most suspicious first."""

    model_config = with_example(
        {
            "stream": "flights",
            "checkpoint": 812,
            "state": "WARNING",
            "warm_up": None,
            "note": None,
            "reference": {"version": "v1", "events": 10000, "layout": "8d1c3f5ab7c2e904"},
            "span": {
                "panes": 16,
                "events": 16000,
                "first": "2013-07-01T00:00:00Z",
                "last": "2013-07-12T22:01:00Z",
                "skipped": 0,
            },
            "drifted": True,
            "budget": 0.001,
            "level": 0.00004,
            "tests": 36,
            "columns": [COLUMN_EXAMPLE],
        }
    )

    reference: ReferenceAbout
    span: Span
    drifted: bool = Field(description="Whether any column is in alarm.")
    budget: float = Field(description="False alarms a pane that monitor.false_alarms allows.")
    level: float = Field(description="Of each single test, so that all keep to the budget.")
    tests: int
    columns: list[ColumnReport] = Field(
        description="Those in alarm first, then by adjusted p-value."
    )


def add_drift_report_routes(app: FastAPI, streams: Streams) -> None:
    """Add the route that tests a span."""

    @app.get(
        "/v1/streams/{stream}/drift-report",
        operation_id="drift_report",
        summary="Has a span of the past drifted?",
        description="The panes of the range are merged and tested as the worker tests its spans, "
        "without the raw data. The budget is that of one pane.",
        tags=["monitor"],
        response_model=DriftReportAnswer,
        responses=problems(404, 422, 503),
    )
    async def drift_report(
        stream: str,
        wanted: Annotated[TimeRange, Depends(time_range)],
        against: Against = None,
        panes: LastPanes = None,
    ) -> Response:
        history = watched_stream(streams, stream).history
        return await history.answer(lambda: report_answer(history, stream, wanted, against, panes))


def report_answer(
    history: HistoryReader, stream: str, wanted: TimeRange, against: str | None, panes: int | None
) -> DriftReportAnswer:
    """Return the test of a span."""
    newest = history.store.newest()
    found = history.drift.span(*wanted, against, last=last_panes(history, wanted, panes))
    report = found.report
    by_column = report.by_column
    return DriftReportAnswer(
        **stage_of(stream, newest),
        reference=about_reference(found.version, found.reference),
        span=span_of(found),
        drifted=report.drifted,
        budget=report.budget,
        level=report.level,
        tests=report.tests,
        columns=[
            column_report(by_column[blame.role, blame.name][0], blame.q) for blame in report.blame
        ],
    )


def last_panes(history: HistoryReader, wanted: TimeRange, panes: int | None) -> int | None:
    """Return how many panes a request is about; None for all in its range."""
    return max(history.drift.spans) if panes is None and not wanted.is_given else panes


def about_reference(version: str, reference: Reference) -> ReferenceAbout:
    """Return what is compared with."""
    return ReferenceAbout(
        version=version, events=reference.total.events, layout=reference.layout.fingerprint
    )


def span_of(found: SpanDrift) -> Span:
    """Return what was compared."""
    about = covered(found.panes, found.pane.events, found.first, found.last)
    return Span(**about.model_dump(), skipped=found.skipped)
