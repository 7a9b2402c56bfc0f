"""``GET /drift/{feature}``: one column, now and over time."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, FastAPI, Path, Query
from pydantic import BaseModel, Field
from starlette.convertors import Convertor, register_url_convertor
from starlette.responses import Response

from monitor.layout import Layout
from monitor.report import SkewReport
from serve.api.models import with_example
from serve.api.monitoring.columns import (
    COLUMN_EXAMPLE,
    ColumnReport,
    Distribution,
    TestName,
    column_report,
    distribution,
    finite,
)
from serve.api.monitoring.drift import ReferenceAbout, next_of
from serve.api.monitoring.drift_report import (
    Against,
    LastPanes,
    Span,
    about_reference,
    last_panes,
    span_of,
)
from serve.api.monitoring.queries import Page, TimeRange, moment, page, time_range
from serve.api.monitoring.reader import HistoryReader
from serve.api.monitoring.schema import DeclaredFeature, declared
from serve.api.monitoring.stage import Role, Watched, stage_of, watched_stream
from serve.api.openapi import problems
from serve.api.problems import FieldError, ProblemError, problem_of
from serve.api.served_stream import Streams
from serve.column_history import ColumnPane
from serve.drift_history import Held, NoPanesError
from serve.stored_monitor import pane_of
from stream.storage.history import PaneKey, StoredPane

_NAMED = 5


class PanePoint(BaseModel):
    """The column in one closed pane."""

    index: int
    version: str = Field(description="The model version that predicted.")
    first: datetime | None
    last: datetime | None
    comparable: bool = Field(
        description="false: counted with other bins than the reference's; only `recorded_ratio` "
        "is known."
    )
    recorded_ratio: float | None = Field(
        description="What the worker found when the pane closed: the largest distance over "
        "threshold of the spans that end with it. null: too few values."
    )
    ratio: float | None = Field(
        description="Distance over threshold of this pane alone, against the reference of this "
        "answer; null: too few values, or not comparable."
    )
    test: TestName | None = Field(description="The test nearest to its threshold.")
    threshold: float | None = Field(description="Of that test, for a single pane.")
    wasserstein: float | None
    js: float | None
    values: int | None = Field(description="Usable values, missing ones included.")
    missing: float | None = Field(description="Share of missing values.")
    unusable: float | None = Field(description="Share of values of the wrong type or not finite.")


class FeatureAnswer(Watched):
    """One column: its test over a span, both distributions, and pane by pane."""

    model_config = with_example(
        {
            "stream": "flights",
            "checkpoint": 812,
            "state": "WARNING",
            "warm_up": None,
            "note": None,
            "role": "feature",
            "name": "distance",
            "declared": None,
            "reference": {"version": "v1", "events": 10000, "layout": "8d1c3f5ab7c2e904"},
            "span": {
                "panes": 16,
                "events": 16000,
                "first": "2013-07-01T00:00:00Z",
                "last": "2013-07-12T22:01:00Z",
                "skipped": 0,
            },
            "report": COLUMN_EXAMPLE,
            "distribution": {
                "bins": [
                    {
                        "label": "<= 187",
                        "low": None,
                        "high": 187.0,
                        "reference": 0.031,
                        "current": 0.05,
                    }
                ],
                "missing": {"reference": 0.0, "current": 0.01},
                "unusable": {"reference": 0.0, "current": 0.0},
                "changed_most": ["1065 to 1096", "<= 187"],
                "top_categories": None,
            },
            "series": [
                {
                    "index": 57,
                    "version": "v1",
                    "first": "2013-07-12T20:10:00Z",
                    "last": "2013-07-12T22:01:00Z",
                    "comparable": True,
                    "recorded_ratio": 1.7,
                    "ratio": 1.2,
                    "test": "wasserstein",
                    "threshold": 0.14,
                    "wasserstein": 0.17,
                    "js": 0.11,
                    "values": 1000,
                    "missing": 0.01,
                    "unusable": 0.0,
                }
            ],
            "next": None,
        }
    )

    role: Role
    name: str
    declared: DeclaredFeature | None = Field(description="What the present schema says of it.")
    reference: ReferenceAbout
    span: Span | None = Field(description="The panes behind `report`; null where there are none.")
    report: ColumnReport | None
    distribution: Distribution
    series: list[PanePoint] = Field(description="Closed panes, newest first.")
    next: str | None = Field(description="Cursor of the next page of the series.")


class _Anything(Convertor[str]):
    """A name of any characters: slashes and newlines too, which Starlette's own leave out."""

    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


def add_feature_routes(app: FastAPI, streams: Streams) -> None:
    """Add the route that shows one column."""
    register_url_convertor("anything", _Anything())

    @app.get(
        "/v1/streams/{stream}/drift/{feature:anything}",
        operation_id="feature_drift",
        summary="One feature, now and over time",
        description="The prediction and the label, where the reference has them, are asked for by "
        "their own names with `role=prediction` and `role=label`.",
        tags=["monitor"],
        response_model=FeatureAnswer,
        responses=problems(404, 422, 503),
    )
    async def feature_drift(
        stream: str,
        feature: Annotated[str, Path(description="The name, percent-encoded.")],
        wanted: Annotated[TimeRange, Depends(time_range)],
        part: Annotated[Page, Depends(page)],
        role: Annotated[Role, Query(description="What the column is.")] = "feature",
        against: Against = None,
        panes: LastPanes = None,
    ) -> Response:
        history = watched_stream(streams, stream).history
        before = part.after(PaneKey)

        def make() -> FeatureAnswer:
            last = last_panes(history, wanted, panes)
            asked = _Asked(role, feature, wanted, against, last, part.limit, before)
            return feature_answer(history, stream, asked)

        return await history.answer(make)


@dataclass(frozen=True, slots=True)
class _Asked:
    role: Role
    name: str
    wanted: TimeRange
    against: str | None
    panes: int | None
    limit: int
    before: PaneKey | None


def feature_answer(history: HistoryReader, stream: str, asked: _Asked) -> FeatureAnswer:
    """Return one column over a span and over time."""
    newest, drift = history.store.newest(), history.drift
    held = drift.hold(asked.against)
    layout = held.reference.layout
    at = layout.index.get((asked.role, asked.name))
    if at is None:
        raise _unknown(layout, held.version, asked)
    span, report, current = None, None, None
    try:
        found = drift.span_against(held, *asked.wanted, last=asked.panes)
    except NoPanesError:
        pass  # its distribution in the reference is known all the same
    else:
        span, current = span_of(found), found.pane
        report = _column(found.report, asked)
    schema = drift.schema()
    feature = schema.by_name.get(asked.name) if schema and asked.role == "feature" else None
    panes = history.store.history.panes(
        *asked.wanted, limit=asked.limit + 1, before=asked.before, scores=False
    )
    return FeatureAnswer(
        **stage_of(stream, newest),
        role=asked.role,
        name=asked.name,
        declared=None if feature is None else declared(feature),
        reference=about_reference(held.version, held.reference),
        span=span,
        report=report,
        distribution=distribution(layout, at, held.reference.total, current),
        series=_series(history, panes[: asked.limit], held, asked),
        next=next_of(panes, asked.limit),
    )


def _column(report: SkewReport, asked: _Asked) -> ColumnReport:
    (found,) = report.by_column[asked.role, asked.name]
    (q,) = (b.q for b in report.blame if (b.role, b.name) == (asked.role, asked.name))
    return column_report(found, q)


def _series(
    history: HistoryReader,
    panes: list[StoredPane],
    held: Held,
    asked: _Asked,
) -> list[PanePoint]:
    layout = held.reference.layout
    layouts = history.drift.layouts((one.row.version, one.row.layout) for one in panes)
    test = history.drift.column_test(held, asked.role, asked.name)
    points = []
    for stored in panes:
        row, found = stored.row, None
        if row.layout == layout.fingerprint:
            found = test.pane(pane_of(stored, layout.cells))
        theirs = layouts.get(row.layout)
        place = None if theirs is None else theirs.index.get((asked.role, asked.name))
        ratios = row.summary.ratios
        recorded = ratios[place] if place is not None and place < len(ratios) else None
        points.append(_point(stored, recorded, found))
    return points


def _point(stored: StoredPane, recorded: float | None, found: ColumnPane | None) -> PanePoint:
    row = stored.row
    return PanePoint(
        index=row.index,
        version=row.version,
        first=moment(row.first),
        last=moment(row.last),
        comparable=found is not None,
        recorded_ratio=recorded,
        ratio=found and found.ratio,
        test=found and found.test,
        threshold=None if found is None or found.threshold is None else finite(found.threshold),
        wasserstein=found and found.wasserstein,
        js=found and found.js,
        values=found and found.values,
        missing=found and found.missing,
        unusable=found and found.unusable,
    )


def _unknown(layout: Layout, version: str, asked: _Asked) -> ProblemError:
    """Return the problem that there is no such column, naming those that are close."""
    names = [column.name for column in layout.columns if column.role == asked.role]
    if not names:
        detail = f"the reference of {version} has no {asked.role}: too few came during the warm-up"
        return ProblemError(problem_of(404, "unknown_feature", detail, known=[]))
    close = difflib.get_close_matches(asked.name[:200], names, n=_NAMED, cutoff=0.5)
    shown = close or names[:_NAMED]
    said = "close to it" if close else "there are"
    message = f"there is no {asked.role} {asked.name[:200]!r}; {said}: {', '.join(shown)}"
    errors = [FieldError(field="path.feature", message=message)]
    return ProblemError(problem_of(404, "unknown_feature", message, errors=errors, known=shown))
