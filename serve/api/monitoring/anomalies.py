"""``GET /anomalies``: what was wrong with events and panes, in groups."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Literal, NamedTuple

from fastapi import Depends, FastAPI, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from monitor.anomalies import KINDS, event_severity
from monitor.schema import Schema
from monitor.schema_text import schema_from_toml
from serve.api.models import with_example
from serve.api.monitoring.queries import Page, TimeRange, cursor_of, moment, page, time_range
from serve.api.monitoring.reader import HistoryReader
from serve.api.monitoring.stage import (
    Covered,
    Severity,
    Watched,
    covered,
    stage_of,
    watched_stream,
)
from serve.api.openapi import problems
from serve.api.served_stream import Streams
from serve.stored_monitor import pane_of, read_view
from stream.storage.history import StoredPane
from stream.watching.groups import Group
from stream.watching.summary import View

KindName = Literal[
    "missing_feature",
    "unexpected_feature",
    "wrong_type",
    "not_finite",
    "out_of_range",
    "out_of_domain",
    "missing_rate",
    "cardinality",
    "volume",
]
EVENT_KINDS = {"missing": "missing_feature"}
"""Tallies of a pane whose name is not their kind's."""


class Place(NamedTuple):
    """Where a group stands: first seen last comes first. It hardly ever moves."""

    first: int
    kind: str
    feature: str
    severity: str


class AnomalyGroup(BaseModel):
    """One kind of anomaly of one feature."""

    kind: KindName
    tfdv: list[str] = Field(description="Names in TensorFlow Data Validation.")
    feature: str = Field(description="Empty for the event or the pane as a whole.")
    severity: Severity
    count: int
    first_seen: datetime | None = Field(description="Event time.")
    last_seen: datetime | None
    sample: str | None = Field(
        description="The one found last, redacted: digits become 9 and letters x. Over a range it "
        "may be one from outside of it; null where none is kept."
    )
    expected: str | None


class AnomalyAnswer(Watched):
    """Anomalies in groups, the kind of trouble that began last first."""

    model_config = with_example(
        {
            "stream": "flights",
            "checkpoint": 812,
            "state": "OK",
            "warm_up": None,
            "note": None,
            "range": None,
            "counts": dict.fromkeys(KINDS, 0) | {"out_of_range": 31},
            "groups": [
                {
                    "kind": "out_of_range",
                    "tfdv": list(KINDS["out_of_range"].tfdv),
                    "feature": "distance",
                    "severity": "warning",
                    "count": 31,
                    "first_seen": "2013-06-01T04:10:00Z",
                    "last_seen": "2013-07-12T22:01:00Z",
                    "sample": "-999",
                    "expected": "17 to 4983",
                }
            ],
            "beyond": 0,
            "next": None,
        }
    )

    range: Covered | None = Field(
        description="The closed panes that were added up; null where the whole stream is told, its "
        "open pane and its warm-up included."
    )
    counts: dict[KindName, int] = Field(description="All that match the filters, by kind.")
    groups: list[AnomalyGroup]
    beyond: int = Field(description="Anomalies of the whole stream that found no room in groups.")
    next: str | None = Field(description="Cursor of the next page; null on the last.")


@dataclass(frozen=True, slots=True)
class Filters:
    """Which groups are wanted; None for all."""

    kind: KindName | None = None
    feature: str | None = None
    severity: Severity | None = None

    def take(self, groups: Iterable[Group]) -> list[Group]:
        """Return those that match, in the order of answers."""
        taken = [
            group
            for group in groups
            if self.kind in (None, group.kind)
            and self.feature in (None, group.feature)
            and self.severity in (None, group.severity)
        ]
        return sorted(taken, key=place_of)


def add_anomaly_routes(app: FastAPI, streams: Streams) -> None:
    """Add the route that lists anomalies."""

    @app.get(
        "/v1/streams/{stream}/anomalies",
        operation_id="anomalies",
        summary="What was wrong with events and panes",
        description="Without a range, of the whole stream since it began. With one, the counts of "
        "the closed panes in it are added up: first and last seen are then those of the panes, the "
        "severity is that of the present schema, and unexpected features are counted together.",
        tags=["monitor"],
        response_model=AnomalyAnswer,
        responses=problems(404, 422, 503),
    )
    async def anomalies(
        stream: str,
        wanted: Annotated[TimeRange, Depends(time_range)],
        part: Annotated[Page, Depends(page)],
        kind: Annotated[KindName | None, Query()] = None,
        feature: Annotated[str | None, Query(description="Empty: of none.")] = None,
        severity: Annotated[Severity | None, Query()] = None,
    ) -> Response:
        history = watched_stream(streams, stream).history
        filters = Filters(kind, feature, severity)
        part.after(Place)
        return await history.answer(lambda: anomaly_answer(history, stream, wanted, part, filters))


def place_of(group: Group) -> Place:
    """Return where a group stands."""
    return Place(-group.first, group.kind, group.feature, group.severity)


def anomaly_answer(
    history: HistoryReader, stream: str, wanted: TimeRange, part: Page, filters: Filters
) -> AnomalyAnswer:
    """Return the anomalies of the whole stream, or of a range."""
    newest, view = read_view(history.store)
    groups = [] if view is None else [Group(**group) for group in view.groups]
    summed = None
    if wanted.is_given:
        summed = _Summed(_schema_of(view))
        for stored in history.store.history.each(*wanted, scores=False):
            summed.add(stored)
        groups = summed.groups(groups)
    taken = filters.take(groups)
    after = part.after(Place)
    shown = [group for group in taken if after is None or place_of(group) > after]
    counts = dict.fromkeys(KINDS, 0)
    for group in taken:
        counts[group.kind] += group.count
    more = len(shown) > part.limit
    shown = shown[: part.limit]
    return AnomalyAnswer(
        **stage_of(stream, newest),
        range=None if summed is None else summed.covered,
        counts=counts,
        groups=[_shown(group) for group in shown],
        beyond=0 if view is None else view.beyond,
        next=cursor_of(place_of(shown[-1])) if more else None,
    )


@dataclass(slots=True)
class _Summed:
    """Anomalies of panes, added up."""

    schema: Schema
    panes: int = 0
    events: int = 0
    first: float = float("inf")
    last: float = float("-inf")
    found: dict[tuple[str, str, str], Group] = field(default_factory=dict)

    def add(self, stored: StoredPane) -> None:
        row = stored.row
        self.panes, self.events = self.panes + 1, self.events + row.events
        self.first, self.last = min(self.first, row.first), max(self.last, row.last)
        for (tallied, feature), count in pane_of(stored).tallies.items():
            kind = EVENT_KINDS.get(tallied, tallied)
            severity = self._severity(kind, feature)
            if severity != "ignore":
                self._count((kind, feature, severity), count, row.first, row.last)
        for anomaly in row.summary.anomalies:
            key = (anomaly.kind, anomaly.feature, anomaly.severity)
            self._count(key, 1, row.last, row.last)

    @property
    def covered(self) -> Covered:
        return covered(self.panes, self.events, self.first, self.last)

    def groups(self, whole: Iterable[Group]) -> list[Group]:
        """Return the groups, with the samples that the whole stream's have."""
        known = {(group.kind, group.feature, group.severity): group for group in whole}
        for key, group in self.found.items():
            if (same := known.get(key)) is not None:
                group.sample, group.expected = same.sample, same.expected
        return list(self.found.values())

    def _severity(self, kind: str, name: str) -> str:
        feature = self.schema.by_name.get(name)
        if kind == "missing_feature" and (feature is None or not feature.required):
            return "ignore"
        if kind not in KINDS:  # a coerced value is counted, and no anomaly
            return "ignore"
        inferred = kind == "out_of_range" and feature is not None and feature.bounds_inferred
        return event_severity(self.schema, kind, inferred=inferred)

    def _count(self, key: tuple[str, str, str], count: int, first: float, last: float) -> None:
        start, end = round(first * 1000), round(last * 1000)
        group = self.found.setdefault(key, Group(*key, 0, start, end, "", ""))
        group.count += count
        group.first, group.last = min(group.first, start), max(group.last, end)


def _schema_of(view: View | None) -> Schema:
    if view is None or view.schema is None:
        return Schema(())
    return schema_from_toml(view.schema)


def _shown(group: Group) -> AnomalyGroup:
    return AnomalyGroup(
        kind=group.kind,
        tfdv=list(KINDS[group.kind].tfdv),
        feature=group.feature,
        severity=group.severity,
        count=group.count,
        first_seen=moment(group.first / 1000),
        last_seen=moment(group.last / 1000),
        sample=group.sample or None,
        expected=group.expected or None,
    )
