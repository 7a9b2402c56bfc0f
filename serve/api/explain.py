"""``POST /explain``: which features a prediction is owed to."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import FastAPI
from starlette.requests import Request

from serve.api.bodies import decode, read_body
from serve.api.explain_shapes import Contribution, ExplainAnswer
from serve.api.explainer import ModelCopy
from serve.api.models import SchemaFlag
from serve.api.openapi import body, problems
from serve.api.predicting.answer import Key, answering_of, judge
from serve.api.predicting.offsets import MinOffset, model_that_read
from serve.api.problems import FieldError, Problem, ProblemError, problem_of
from serve.api.served_stream import ServedStream, Streams
from serve.explain.explain import Method, explain
from serve.explain.explanation import CannotExplainError, Explanation
from stream.events import Event, Features, Rejected
from stream.learner import decide, probabilities


class _Asked(msgspec.Struct, forbid_unknown_fields=True):
    event: msgspec.Raw
    method: Method = "auto"
    of_class: Annotated[str, msgspec.Meta(max_length=256)] | None = None
    min_offset: MinOffset = None
    key: Key = None


_asked = msgspec.json.Decoder(_Asked)


def add_explain_routes(app: FastAPI, streams: Streams) -> None:
    """Add the route that explains."""

    @app.post(
        "/v1/streams/{stream}/explain",
        operation_id="explain",
        summary="Explain a prediction",
        description="Says which features a prediction is owed to, within api.explain_ms, and "
        "leaves no trace. Where it cannot, it is a 422 that says why, method by method.",
        tags=["predictions"],
        responses=problems(400, 404, 408, 409, 413, 415, 422, 503),
        openapi_extra=body("ExplainRequest"),
    )
    async def explain_one(stream: str, request: Request) -> ExplainAnswer:
        served = streams.find(stream)
        limits = served.config.api
        asked = decode(_asked, await read_body(request, limits.max_body_bytes, limits.body_timeout))
        live = await model_that_read(served, asked.min_offset)
        event = _event(served, bytes(asked.event))
        key = event.id if asked.key is None else asked.key
        answering = answering_of(live, key)
        if isinstance(answering, Problem):
            raise ProblemError(answering)
        judged = judge(served, answering, event.features, "event")
        if isinstance(judged, Problem):
            raise ProblemError(judged)
        flags, features = judged
        answer = await served.explainer.run(
            lambda copy: _answer(served, copy, event.id or None, features, asked), key
        )
        shown = [SchemaFlag(**msgspec.structs.asdict(flag)) for flag in flags]
        return answer.model_copy(update={"flags": shown})


def _event(stream: ServedStream, value: bytes) -> Event:
    event = stream.reader.question(value, stream.now_ms())
    if isinstance(event, Rejected):
        raise ProblemError(stream.reader.problem(event, value, "event"))
    if not stream.reader.has_id:
        event.id = ""
    return event


def _answer(
    stream: ServedStream, copy: ModelCopy, key: str | None, features: Features, asked: _Asked
) -> ExplainAnswer:
    started = stream.clock.monotonic()
    try:
        learner, features = copy.learner.answering(features)
        prediction = learner.predict(features)
        found, notes = explain(
            learner,
            features,
            copy.background,
            seconds=stream.config.api.explain_ms / 1000,
            method=asked.method,
            wanted=asked.of_class,
            seed=stream.config.model.seed,
        )
    except CannotExplainError as error:
        raise ProblemError(_cannot(str(error))) from None
    except Exception as error:  # noqa: BLE001 - a model may raise anything
        message = f"the model raised {type(error).__name__}: {error}"[:500]
        raise ProblemError(_cannot(message, "model_error")) from None
    task = stream.config.model.task
    return ExplainAnswer(
        event_id=key,
        prediction=decide(task, prediction),
        probabilities=probabilities(task, prediction),
        base_value=found.base,
        contributions=_sorted(found, features),
        notes=notes,
        flags=[],
        model_version=copy.live.version,
        learned_offset=copy.live.learned_offset,
        seconds=round(stream.clock.monotonic() - started, 6),
        gap=found.gap,
        answered_by=learner.answered_by,
        of_class=found.target,
        **_same(found),
    )


def _same(found: Explanation) -> dict[str, Any]:
    names = ("method", "space", "explained", "leaf_model", "samples", "background")
    return {name: getattr(found, name) for name in names}


def _sorted(found: Explanation, features: Features) -> list[Contribution]:
    largest_first = sorted(found.contributions.items(), key=lambda item: (-abs(item[1]), item[0]))
    return [
        Contribution(
            feature=name,
            value=features.get(name),
            contribution=part,
            error=found.errors.get(name),
        )
        for name, part in largest_first
    ]


def _cannot(reason: str, kind: str = "not_explained") -> Problem:
    errors = [FieldError(field="event", message=reason)]
    return problem_of(422, kind, f"no explanation: {reason}", errors=errors)
