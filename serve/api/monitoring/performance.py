"""``GET /performance``: how well the model does, over the whole stream or a range of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from math import inf, isfinite
from typing import Annotated, Any

import numpy as np
from fastapi import Depends, FastAPI, Query
from starlette.responses import Response

from monitor.arrays import IntArray
from monitor.estimate import LEVELS, Calibrator
from monitor.performance import AGES, Performance
from serve.api.monitoring.drift import next_of
from serve.api.monitoring.performance_models import (
    AgeLoss,
    BesideFrozen,
    Delay,
    FrozenBaseline,
    Losses,
    ModelLoss,
    Outlook,
    PanePerformance,
    PerformanceAnswer,
    SegmentLoss,
    SincePromotion,
)
from serve.api.monitoring.queries import Page, TimeRange, moment, page, time_range
from serve.api.monitoring.reader import HistoryReader
from serve.api.monitoring.stage import Covered, covered, stage_of, watched_stream
from serve.api.openapi import problems
from serve.api.served_stream import Streams
from serve.stored_monitor import read_view, scores_of
from stream.counts import LABEL_FATES
from stream.sections import Task
from stream.storage.history import PaneKey, StoredPane
from stream.watching.beside import Beside
from stream.watching.leads import MODEL
from stream.watching.losses import MEANINGS
from stream.watching.outlook import compare
from stream.watching.summary import View


def add_performance_routes(app: FastAPI, streams: Streams) -> None:
    """Add the route that shows how well the model does."""

    @app.get(
        "/v1/streams/{stream}/performance",
        operation_id="performance",
        summary="How well the model does",
        description="Progressive: every prediction is scored as it was given when its event came, "
        "once its label is there. What a loss is stands in the answer.",
        tags=["monitor"],
        response_model=PerformanceAnswer,
        responses=problems(404, 422, 503),
    )
    async def performance(
        stream: str,
        wanted: Annotated[TimeRange, Depends(time_range)],
        part: Annotated[Page, Depends(page)],
        outlooks: Annotated[
            bool, Query(description="Expected and realised metrics of each pane, too.")
        ] = False,
    ) -> Response:
        history = watched_stream(streams, stream).history
        before = part.after(PaneKey)
        asked = _Asked(wanted, part.limit, before, outlooks)
        return await history.answer(lambda: performance_answer(history, stream, asked))


@dataclass(frozen=True, slots=True)
class _Asked:
    wanted: TimeRange
    limit: int
    before: PaneKey | None
    outlooks: bool


def performance_answer(history: HistoryReader, stream: str, asked: _Asked) -> PerformanceAnswer:
    """Return the performance over the whole stream, or over a range."""
    newest, view = read_view(history.store)
    status = {} if newest is None else newest.status
    task = history.config.model.task
    about: dict[str, Any]
    if asked.wanted.is_given:
        about = _of_range(history, asked.wanted, task, view)
    else:
        about = _of_the_stream(status, view)
    whole: Performance = about.pop("whole")
    panes = history.store.history.panes(
        *asked.wanted, limit=asked.limit + 1, before=asked.before, data=False
    )
    models = _models(whole)
    return PerformanceAnswer(
        **stage_of(stream, newest),
        **_coverage(whole),
        **about,
        task=task,
        loss=MEANINGS[task],
        models=[
            ModelLoss(model=name, labels=whole.score(name).count, mean_loss=whole.mean(name))
            for name in models
        ],
        segments=_segments(whole, models),
        ages=_ages(whole, models),
        delay=Delay(**{f"p{n}": whole.delay_quantile(n / 100) for n in (50, 90, 99)}),
        series=[_pane(one, task, view if asked.outlooks else None) for one in panes[: asked.limit]],
        next=next_of(panes, asked.limit),
    )


def _of_the_stream(status: dict[str, Any], view: View | None) -> dict[str, Any]:
    labels = status.get("labels")
    return {
        "whole": Performance() if view is None else Performance.from_data(view.performance),
        "range": None,
        "fates": None if labels is None else {name: labels[name] for name in LABEL_FATES},
        "outlook": (status.get("monitor") or {}).get("estimate"),
        "scores": status.get("scores"),
        "rolling": status.get("rolling"),
        "since_promotion": _promotion(status.get("since_promotion")),
        "frozen": _frozen(status.get("frozen")),
    }


def _promotion(told: dict[str, Any] | None) -> SincePromotion | None:
    return None if told is None else SincePromotion(**told | {"time": _time(told["time"])})


def _frozen(told: dict[str, Any] | None) -> FrozenBaseline | None:
    return None if told is None else FrozenBaseline(**told | {"time": _time(told["time"])})


def _time(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else moment(milliseconds / 1000)


def _of_range(
    history: HistoryReader, wanted: TimeRange, task: Task, view: View | None
) -> dict[str, Any]:
    whole, confidences = Performance(), np.zeros((3, LEVELS), dtype=np.int64)
    panes, events, first, last = 0, 0, inf, -inf
    pairs = Beside()
    for stored in history.store.history.each(*wanted, data=False):
        performance, counts, beside = scores_of(stored)
        pairs += beside
        whole, confidences = whole + performance, confidences + counts
        panes, events = panes + 1, events + stored.row.events
        first, last = min(first, stored.row.first), max(last, stored.row.last)
    about: Covered = covered(panes, events, first, last)
    return {
        "whole": whole,
        "range": about,
        "fates": None,
        "outlook": _outlook(task, confidences, view, panes),
        "scores": None,
        "rolling": None,
        "since_promotion": None,
        "frozen": None,
        "beside_frozen": _beside(pairs),
    }


def _outlook(task: Task, counts: IntArray, view: View | None, panes: int) -> Outlook | None:
    if view is None or view.calibration is None or not counts[0].any():
        return None
    return Outlook(panes=panes, **compare(task, counts, Calibrator(view.calibration)))


def _coverage(of: Performance) -> dict[str, Any]:
    return {"predictions": of.predictions, "labels": of.labelled, "coverage": of.coverage}


def _models(of: Performance) -> list[str]:
    """Return the models that were scored, the served one first."""
    found = dict.fromkeys(model for model, feature, _, _ in of.scores if not feature)
    return sorted(found, key=lambda name: (name != MODEL, name))


def _segments(of: Performance, models: list[str]) -> list[SegmentLoss]:
    pairs = dict.fromkeys((f, s) for _, f, s, _ in of.scores if f)
    found = [
        SegmentLoss(
            feature=feature,
            segment=segment,
            labels=of.score(MODEL, feature, segment).count,
            mean_loss={name: of.mean(name, feature, segment) for name in models},
        )
        for feature, segment in pairs
    ]
    return sorted(found, key=lambda one: -(one.mean_loss.get(MODEL) or 0.0))


def _ages(of: Performance, models: list[str]) -> list[AgeLoss]:
    return [
        AgeLoss(
            age=name,
            upper_seconds=limit if isfinite(limit) else None,
            labels=of.delays[name],
            mean_loss={model: of.score(model, age=name).mean for model in models},
        )
        for name, limit in AGES
        if of.delays.get(name)
    ]


def _pane(stored: StoredPane, task: Task, view: View | None) -> PanePerformance:
    row = stored.row
    performance, counts, beside = scores_of(stored)
    losses: Losses = {name: performance.mean(name) for name in _models(performance)}
    return PanePerformance(
        **_coverage(performance),
        index=row.index,
        version=row.version,
        first=moment(row.first),
        last=moment(row.last),
        scored=performance.score(MODEL).count,
        mean_loss=losses,
        beside_frozen=_beside(beside),
        outlook=_outlook(task, counts, view, 1),
    )


def _beside(found: Beside) -> BesideFrozen | None:
    return BesideFrozen(labels=found.labels, mean_loss=found.means()) if found.labels else None
