"""``/labels/wanted`` and ``/labels/conflicts``: whose word is wanted, and who disagrees."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, FastAPI, Query
from starlette.responses import Response

from serve.api.labels.reading import label_conflicts, wanted_labels
from serve.api.labels.shapes import LabelConflicts, WantedLabels
from serve.api.monitoring.queries import Page, page
from serve.api.openapi import problems
from serve.api.served_stream import Streams

_TAGS = ["labels"]
_BUDGET_MAX = 1_000


def add_label_routes(app: FastAPI, streams: Streams) -> None:
    """Add the routes about what people are asked and said."""

    @app.get(
        "/v1/streams/{stream}/labels/wanted",
        operation_id="wanted_labels",
        summary="The predictions most worth a person's label",
        description="Those that wait and of which the model is least sure, as River's "
        "`active.EntropySampler` measures it. They are of the newest checkpoint: a label that was "
        "just given takes its prediction off the list with the next one.",
        tags=list(_TAGS),
        response_model=WantedLabels,
        responses=problems(404, 422, 503),
    )
    async def wanted(
        stream: str,
        budget: Annotated[
            int | None,
            Query(
                ge=1,
                le=_BUDGET_MAX,
                description="How many labels somebody has time for; at most and by default "
                "labels.wanted_budget.",
            ),
        ] = None,
    ) -> Response:
        served = streams.find(stream)
        store, config = served.history.store, served.config
        return await served.history.answer(lambda: wanted_labels(store, config, budget))

    @app.get(
        "/v1/streams/{stream}/labels/conflicts",
        operation_id="label_conflicts",
        summary="Labels that contradict each other",
        description="Who said what of an event, and when. The first label of an id is learned "
        "from; a later one that differs changes nothing and is listed here.",
        tags=list(_TAGS),
        response_model=LabelConflicts,
        responses=problems(404, 422, 503),
    )
    async def conflicts(stream: str, asked: Annotated[Page, Depends(page)]) -> Response:
        served = streams.find(stream)
        store, config = served.history.store, served.config
        before = asked.after(tuple[int, int])
        return await served.history.answer(
            lambda: label_conflicts(store, config, asked.limit, before)
        )
