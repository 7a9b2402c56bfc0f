"""``GET /impact``: how much each feature has moved the latest predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from fastapi import FastAPI
from pydantic import BaseModel, Field
from starlette.responses import Response

from serve.api.explainer import ModelCopy
from serve.api.models import with_example
from serve.api.openapi import problems
from serve.api.served_stream import ServedStream, Streams
from serve.explain.explain import explain
from serve.explain.explanation import CannotExplainError, Explanation
from stream.events import Features

_EVENTS = 32
_LATEST = 2_048
_SECONDS = 0.6
_FRESH_SECONDS = 20.0


class FeatureImpact(BaseModel):
    """What one feature does to predictions."""

    feature: str
    impact: float = Field(
        description="Mean distance of its contributions from their mean, in `space`: a feature "
        "that adds the same to every prediction has none."
    )
    share: float = Field(description="Of the impact of all features.")


class ImpactAnswer(BaseModel):
    """How much each feature has moved the latest predictions."""

    model_config = with_example(
        {
            "stream": "flights",
            "model_version": "v2",
            "events": 32,
            "method": "linear",
            "space": "log_odds",
            "features": [{"feature": "hour", "impact": 0.41, "share": 0.32}],
            "note": None,
        }
    )

    stream: str
    model_version: str | None = Field(description="null before the first checkpoint.")
    events: int = Field(description="The latest kept predictions that were explained.")
    method: str | None = Field(description="As of POST /explain; null where nothing was explained.")
    space: str | None
    features: list[FeatureImpact] = Field(description="The largest first.")
    note: str | None = Field(description="Why there are none; null where there are.")


class Impacts:
    """The impacts of streams, made anew at most every so often."""

    def __init__(self) -> None:
        self._made: dict[str, tuple[float, ImpactAnswer]] = {}

    async def of(self, stream: ServedStream) -> ImpactAnswer:
        """Return a stream's impacts.

        Raises
        ------
        ProblemError
            503 where there is no model, or the store does not answer.
        """
        if stream.models.live is None:
            return _nothing(stream, "there is no model yet; start a worker: 'riverrun worker'")
        now = stream.clock.monotonic()
        made = self._made.get(stream.name)
        if made is not None and now - made[0] < _FRESH_SECONDS and made[1].features:
            return made[1]
        events = await stream.history.read(lambda: _latest(stream))
        answer = await stream.explainer.run(lambda copy: _impacts(stream, copy, events))
        self._made[stream.name] = (now, answer)
        return answer


def add_impact_routes(app: FastAPI, streams: Streams) -> None:
    """Add the route about impacts."""
    impacts = Impacts()

    @app.get(
        "/v1/streams/{stream}/impact",
        operation_id="impact",
        summary="How much each feature has moved the latest predictions",
        description="Some of the latest kept predictions are explained as POST /explain does. Made "
        "anew every 20 seconds at most.",
        tags=["monitor"],
        response_model=ImpactAnswer,
        responses=problems(404, 503),
    )
    async def impact(stream: str) -> Response:
        found = await impacts.of(streams.find(stream))
        return Response(found.model_dump_json(), media_type="application/json")


def _nothing(stream: ServedStream, note: str) -> ImpactAnswer:
    return ImpactAnswer(
        stream=stream.name,
        model_version=None,
        events=0,
        method=None,
        space=None,
        features=[],
        note=note,
    )


def impact_of(contributions: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return by feature the mean distance of its contributions from their mean.

    Parameters
    ----------
    contributions
        By feature, of each event; what an event lacks adds nothing to it.

    Examples
    --------
    >>> impact_of([{"a": 1.0, "b": 2.0}, {"a": -1.0, "b": 2.0}])
    {'a': 1.0, 'b': 0.0}
    """
    names = dict.fromkeys(name for one in contributions for name in one)
    found = {}
    for name in names:
        values = [one.get(name, 0.0) for one in contributions]
        mean = fmean(values)
        found[name] = fmean(abs(value - mean) for value in values)
    return found


def _latest(stream: ServedStream) -> list[Features]:
    """Return events from all over the latest predictions: neighbours are too much alike."""
    known = stream.kept.view().known
    numbers = sorted(known, reverse=True)[:_LATEST]
    step = max(1, len(numbers) // _EVENTS)
    values = (known[number].said.value for number in numbers[::step])
    return [stream.kept.features_of(value) for value in values if value is not None][:_EVENTS]


def _impacts(stream: ServedStream, copy: ModelCopy, events: Sequence[Features]) -> ImpactAnswer:
    begin, explained = stream.clock.monotonic(), list[Explanation]()
    note = None if events else "no prediction is kept yet"
    for features in events:
        if stream.clock.monotonic() - begin > _SECONDS:
            break
        try:
            found, _ = explain(
                copy.learner,
                features,
                copy.background,
                seconds=_SECONDS / len(events),
                seed=stream.config.model.seed,
            )
        except CannotExplainError as error:
            note = str(error)
            break
        except Exception as error:  # noqa: BLE001 - a model may raise anything
            note = f"the model raised {type(error).__name__}: {error}"[:500]
            break
        explained.append(found)
    moved = impact_of([one.contributions for one in explained])
    total = sum(moved.values())
    return ImpactAnswer(
        stream=stream.name,
        model_version=copy.live.version,
        events=len(explained),
        method=explained[0].method if explained else None,
        space=explained[0].space if explained else None,
        features=[
            FeatureImpact(feature=name, impact=one, share=one / total if total else 0.0)
            for name, one in sorted(moved.items(), key=lambda item: -item[1])
        ],
        note=None if explained else note,
    )
