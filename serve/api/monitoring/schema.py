"""``GET /schema``: what events must be."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from monitor.anomalies import KINDS
from monitor.schema import Feature, Schema
from monitor.schema_text import schema_from_toml
from serve.api.models import with_example
from serve.api.monitoring.reader import HistoryReader
from serve.api.monitoring.stage import Watched, monitor_of, stage_of, watched_stream
from serve.api.openapi import problems
from serve.api.problems import ProblemError, problem_of
from serve.api.served_stream import Streams
from serve.stored_monitor import read_view

TOML = "application/toml"
Level = Literal["error", "warning", "ignore"]

FEATURE_EXAMPLE = {
    "name": "distance",
    "type": "int",
    "required": True,
    "minimum": 17,
    "maximum": 4983,
    "bounds_inferred": True,
    "domain": None,
    "min_domain_mass": 0.99,
    "min_fraction": 0.0,
    "max_missing": 0.0,
    "coerce": False,
    "max_cardinality": None,
}


class DeclaredFeature(BaseModel):
    """What one feature may hold."""

    name: str
    type: Literal["int", "float", "bool", "string", "any"] = Field(
        description="float takes ints; of any, only presence is watched."
    )
    required: bool = Field(description="Absent or null is an anomaly.")
    minimum: float | None = Field(description="Included; null is no bound.")
    maximum: float | None
    bounds_inferred: bool = Field(description="Values beyond the bounds only warn.")
    domain: list[str] | None = Field(description="The categories; null takes any.")
    min_domain_mass: float = Field(description="Share of a pane that must lie in the domain.")
    min_fraction: float = Field(description="Share of a pane that must have a value.")
    max_missing: float | None = Field(description="Share without a value above which it warns.")
    coerce: bool = Field(description="'3.5' is taken as 3.5, and counted.")
    max_cardinality: int | None = Field(description="Distinct values above which it warns.")


class KindRule(BaseModel):
    """A kind of anomaly, and how severe this schema takes it."""

    kind: str
    tfdv: list[str] = Field(description="Names in TensorFlow Data Validation.")
    rule: str = Field(description="When it holds.")
    event: Level | None = Field(description="Severity in one event; null: of panes only.")
    pane: Level | None = Field(description="Severity in a pane; null: of events only.")


class SchemaShape(BaseModel):
    """What events must be."""

    inferred: bool = Field(description="Made of the warm-up, not given by monitor.schema_file.")
    features: list[DeclaredFeature]
    ignored: list[str] = Field(description="Known fields that are not watched.")
    min_events: int | None = Field(description="Events in a pane below which it warns.")
    max_events: int | None
    kinds: list[KindRule]


class SchemaAnswer(Watched):
    """The schema; null during the warm-up, where none was given."""

    model_config = with_example(
        {
            "stream": "flights",
            "checkpoint": 812,
            "state": "OK",
            "warm_up": None,
            "note": None,
            "schema": {
                "inferred": True,
                "features": [FEATURE_EXAMPLE],
                "ignored": ["flight_id"],
                "min_events": None,
                "max_events": None,
                "kinds": [
                    {
                        "kind": "not_finite",
                        "tfdv": ["FLOAT_TYPE_HAS_NAN", "FLOAT_TYPE_HAS_INF"],
                        "rule": "NaN or infinity",
                        "event": "error",
                        "pane": None,
                    }
                ],
            },
        }
    )

    shape: SchemaShape | None = Field(alias="schema")


def add_schema_routes(app: FastAPI, streams: Streams) -> None:
    """Add the route that shows the schema."""

    @app.get(
        "/v1/streams/{stream}/schema",
        operation_id="schema",
        summary="What events must be",
        description="The readable text, as monitor.schema_file takes it, with `format=toml` or "
        f"`Accept: {TOML}`.",
        tags=["monitor"],
        response_model=SchemaAnswer,
        responses=problems(404, 422, 503)
        | {200: {"content": {TOML: {"schema": {"type": "string"}}}}},
    )
    async def schema(
        stream: str,
        request: Request,
        wanted: Annotated[
            Literal["json", "toml"] | None,
            Query(alias="format", description="Wins over the header Accept."),
        ] = None,
    ) -> Response:
        served = watched_stream(streams, stream)
        as_text = wanted == "toml" or (wanted is None and prefers_toml(request.headers))
        if as_text:
            text = await served.history.read(lambda: schema_text(served.history, stream))
            answer = Response(text, media_type=TOML)
        else:
            answer = await served.history.answer(lambda: schema_answer(served.history, stream))
        answer.headers["Vary"] = "Accept"
        return answer


def prefers_toml(headers: Any) -> bool:
    """Return whether the header Accept names TOML, and JSON not before it.

    Examples
    --------
    >>> prefers_toml({"accept": "application/toml"}), prefers_toml({"accept": "*/*"})
    (True, False)
    """
    named = [
        part.partition(";")[0].strip().lower() for part in headers.get("accept", "").split(",")
    ]
    known = [name for name in named if name in (TOML, "application/json")]
    return known[:1] == [TOML]


def schema_text(history: HistoryReader, stream: str) -> str:
    """Return the schema as text.

    Raises
    ------
    ProblemError
        404 while there is none.
    """
    newest, view = read_view(history.store)
    if view is None or view.schema is None:
        note = stage_of(stream, newest)["note"]
        raise ProblemError(problem_of(404, "no_schema_yet", f"there is no schema yet: {note}"))
    return view.schema


def schema_answer(history: HistoryReader, stream: str) -> SchemaAnswer:
    """Return the schema; null while there is none."""
    newest, view = read_view(history.store)
    shape = None
    if view is not None and view.schema is not None:
        about = monitor_of(newest).get("schema") or {}
        shape = _shape(schema_from_toml(view.schema), bool(about.get("inferred", True)))
    return SchemaAnswer(**stage_of(stream, newest), schema=shape)


def declared(feature: Feature) -> DeclaredFeature:
    """Return a feature's declaration as answers show it."""
    fields = {name: getattr(feature, name) for name in DeclaredFeature.model_fields}
    return DeclaredFeature(**fields)


def _shape(schema: Schema, inferred: bool) -> SchemaShape:
    return SchemaShape(
        inferred=inferred,
        features=[declared(feature) for feature in schema.features],
        ignored=list(schema.ignored),
        min_events=schema.min_events,
        max_events=schema.max_events,
        kinds=[
            KindRule(
                kind=kind.name,
                tfdv=list(kind.tfdv),
                rule=kind.rule,
                event=kind.event and schema.severity.get(kind.name, kind.event),
                pane=kind.pane and schema.severity.get(kind.name, kind.pane),
            )
            for kind in KINDS.values()
        ],
    )
