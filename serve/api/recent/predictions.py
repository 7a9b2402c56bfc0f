"""``GET /predictions``, ``/predictions/{id}``: what was predicted, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from itertools import islice
from typing import Annotated, NamedTuple

from fastapi import Depends, FastAPI, Path, Query
from starlette.responses import Response

from serve.api.monitoring.queries import (
    Page,
    TimeRange,
    cursor_of,
    invalid,
    moment,
    page,
    time_range,
)
from serve.api.openapi import problems
from serve.api.problems import ProblemError, problem_of
from serve.api.recent.kept import KeptView
from serve.api.recent.shapes import PredictionDetails, Predictions, Source
from serve.api.recent.shown import kept_details, kept_entry, scored_details, scored_entry
from serve.api.served_stream import ServedStream, Streams
from stream.recent import Known

_TAGS: list[str | Enum] = ["predictions"]
_MAX_ID = 512
_HOW_FAR = (
    "The store keeps the newest `predictions.keep` of them, as of the newest checkpoint: all are "
    "there, none is sampled; the answer says how far back they reach. Older ones stand on the "
    "predictions topic."
)


class Filters(NamedTuple):
    """Which predictions are wanted; None for all."""

    wanted: TimeRange
    labelled: bool | None
    wrong: bool | None
    min_loss: float | None
    version: str | None
    source: Source | None

    def take(self, view: KeptView) -> Iterator[Known]:
        """Yield those that match, the newest first."""
        for number in reversed(view.known):
            one = view.known[number]
            if self._fits(one) and self._fits_verdict(view, number):
                yield one

    def _fits(self, one: Known) -> bool:
        said, (start, end) = one.said, self.wanted
        return (
            (self.version is None or said.model_version == self.version)
            and (self.source is None or said.source == self.source)
            and (self.labelled is None or (one.label is not None) == self.labelled)
            and (start is None or said.time >= start * 1000)
            and (end is None or said.time < end * 1000)
        )

    def _fits_verdict(self, view: KeptView, number: int) -> bool:
        if self.wrong is None and self.min_loss is None:
            return True
        verdict = view.verdicts.get(number)
        if verdict is None:
            return False
        if self.min_loss is not None and (verdict.loss is None or verdict.loss < self.min_loss):
            return False
        return self.wrong is None or verdict.correct is (not self.wrong)


def filters(
    wanted: Annotated[TimeRange, Depends(time_range)],
    labelled: Annotated[bool | None, Query(description="Whether its label has come.")] = None,
    wrong: Annotated[
        bool | None, Query(description="Whether the predicted class is another than the label.")
    ] = None,
    min_loss: Annotated[
        float | None,
        Query(ge=0, allow_inf_nan=False, description="Only with a label, and at least this loss."),
    ] = None,
    version: Annotated[
        str | None, Query(max_length=64, description="The model version that predicted.")
    ] = None,
    source: Annotated[
        Source | None, Query(description="precomputed: those of 'riverrun score'.")
    ] = None,
) -> Filters:
    """Read which predictions a request asks for."""
    return Filters(wanted, labelled, wrong, min_loss, version, source)


def add_prediction_routes(app: FastAPI, streams: Streams) -> None:
    """Add the routes about single predictions."""

    @app.get(
        "/v1/streams/{stream}/predictions",
        operation_id="list_predictions",
        summary="Predictions, the newest first",
        description=f"{_HOW_FAR} `from` and `to` are about event time. With `source` = "
        "precomputed, those that 'riverrun score' stored are listed instead, without filters.",
        tags=_TAGS,
        response_model=Predictions,
        responses=problems(404, 422, 503),
    )
    async def list_predictions(
        stream: str,
        asked: Annotated[Page, Depends(page)],
        wanted: Annotated[Filters, Depends(filters)],
    ) -> Response:
        served = streams.find(stream)
        before = asked.after(int)
        if wanted.source == "precomputed":
            _refuse_filters(wanted)
            return await served.history.answer(lambda: _precomputed(served, asked.limit, before))
        _refuse_wrong_without_classes(served, wanted)
        return await served.history.answer(lambda: _kept(served, asked.limit, before, wanted))

    @app.get(
        "/v1/streams/{stream}/predictions/{event_id:path}",
        operation_id="show_prediction",
        summary="One prediction with its event, and its label when it came",
        description=f"{_HOW_FAR} An id that is not among them is looked for in what 'riverrun "
        "score' stored ahead of time.",
        tags=_TAGS,
        response_model=PredictionDetails,
        responses=problems(404, 422, 503),
    )
    async def show_prediction(
        stream: str, event_id: Annotated[str, Path(min_length=1, max_length=_MAX_ID)]
    ) -> Response:
        served = streams.find(stream)
        return await served.history.answer(lambda: _one(served, event_id))


def _kept(stream: ServedStream, limit: int, before: int | None, wanted: Filters) -> Predictions:
    view, task = stream.kept.view(), stream.config.model.task
    found = list(wanted.take(view))
    rest = found if before is None else [one for one in found if one.number < before]
    shown = rest[:limit]
    oldest = next(iter(view.known.values()), None)
    return Predictions(
        stream=stream.name,
        made=view.made,
        kept=len(view.known),
        keep=stream.config.predictions.keep,
        reaches_back_to=None if oldest is None else moment(oldest.said.said_at / 1000),
        matching=len(found),
        predictions=[kept_entry(task, view, one) for one in shown],
        next=cursor_of(shown[-1].number) if len(rest) > limit else None,
    )


def _precomputed(stream: ServedStream, limit: int, before: int | None) -> Predictions:
    store, task = stream.history.store.precomputed, stream.config.model.task
    found = store.page(limit + 1, before)
    shown = list(islice(found, limit))
    newest = store.page(1)
    return Predictions(
        stream=stream.name,
        made=newest[0].number if newest else 0,
        kept=store.count(),
        keep=stream.config.predictions.precomputed,
        reaches_back_to=None,
        matching=None,
        predictions=[scored_entry(task, one) for one in shown],
        next=cursor_of(shown[-1].number) if len(found) > limit else None,
    )


def _one(stream: ServedStream, key: str) -> PredictionDetails:
    view, task = stream.kept.view(), stream.config.model.task
    number = view.newest.get(key)
    if number is not None:
        return kept_details(task, stream.kept, view, view.known[number])
    stored = stream.history.store.precomputed.find(key)
    if stored is not None:
        return scored_details(task, stream.kept, stored)
    keep = stream.config.predictions.keep
    detail = (
        f"there is no prediction of {key!r} among the newest {len(view.known):,} that the store "
        f"keeps (predictions.keep = {keep:,}), nor among those of 'riverrun score'. One that was "
        "made a moment ago comes with the next checkpoint; older ones stand on the topic "
        f"{stream.config.predictions_topic!r}"
    )
    raise ProblemError(problem_of(404, "unknown_prediction", detail))


def _refuse_filters(wanted: Filters) -> None:
    given = {
        "from": wanted.wanted.start,
        "to": wanted.wanted.end,
        "labelled": wanted.labelled,
        "wrong": wanted.wrong,
        "min_loss": wanted.min_loss,
        "version": wanted.version,
    }
    for name, value in given.items():
        if value is not None:
            raise invalid(name, "source = precomputed has no filters; leave it out")


def _refuse_wrong_without_classes(stream: ServedStream, wanted: Filters) -> None:
    task = stream.config.model.task
    if wanted.wrong is not None and task not in ("binary", "multiclass"):
        raise invalid("wrong", f"the task {task} has no classes to be wrong about; use min_loss")
