"""The tables of the file about what is told to others: alerts, MLflow, and the model card."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from stream.destinations import why_forbidden
from stream.sections import Duration, Section

AlertKind = Literal[
    "halted",
    "paused",
    "drift",
    "skew",
    "began",
    "promoted",
    "rejected",
    "failed",
    "cancelled",
    "kept",
    "rolled_back",
    "recovery",
    "schema",
]


def _http_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        known = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        known = False
    if not known or any(character.isspace() for character in value):
        raise ValueError("give http://HOST[:PORT]/PATH or https://HOST[:PORT]/PATH")
    if parts.username is not None:
        raise ValueError("a name or a password in it would be shown; give a token instead")
    if (reason := why_forbidden(parts.hostname or "")) is not None:
        raise ValueError(f"nothing is sent to {parts.hostname}: {reason}")
    return value


HttpUrl = Annotated[str, Field(max_length=2_000), AfterValidator(_http_url)]
"""Where something is sent to."""
Block = Annotated[str, Field(min_length=1, max_length=10_000)]


class AlertsSection(Section):
    """``[alerts]``: who is told of halts, drift and retrainings."""

    webhook: HttpUrl | None = Field(None, description="each alert is posted to it as JSON")
    alertmanager: HttpUrl | None = Field(
        None, description="base URL of a Prometheus Alertmanager; /api/v2/alerts is posted to"
    )
    on: tuple[AlertKind, ...] = Field(
        (
            "halted",
            "paused",
            "drift",
            "skew",
            "promoted",
            "rejected",
            "failed",
            "rolled_back",
            "recovery",
            "schema",
        ),
        description="what is told; also began, cancelled and kept, of a retraining",
    )
    timeout: Duration = Field(5_000, ge=100, le=60_000, description="of one request")
    max_age: Duration = Field(
        86_400_000, ge=60_000, description="an alert not delivered for so long is given up"
    )
    queue: int = Field(
        1_000, ge=1, le=100_000, description="alerts that wait, at most; the oldest are given up"
    )


class MlflowSection(Section):
    """``[mlflow]``: the tracking server that runs and versions are mirrored to."""

    tracking_uri: HttpUrl | None = Field(
        None, description="of an MLflow tracking server; needs the extra 'mlflow'"
    )
    experiment: str | None = Field(
        None, min_length=1, max_length=250, description="default: the stream's name"
    )
    registered_model: str | None = Field(
        None, pattern=r"^[^/:'\"`]{1,250}$", description="default: the stream's name"
    )
    artifacts: bool = Field(True, description="upload the pickle of each version that serves")


class CanvasSection(Section):
    """``[canvas]``: the ten blocks of the Machine Learning Canvas (Dorard), for model cards."""

    value_proposition: Block | None = Field(
        None, description="who the end users are, and what they get out of it"
    )
    prediction_task: Block | None = Field(
        None, description="what is predicted, of what, and when the outcome is known"
    )
    decisions: Block | None = Field(None, description="how predictions become decisions")
    impact_simulation: Block | None = Field(
        None, description="what right and wrong decisions cost; what a model must reach"
    )
    making_predictions: Block | None = Field(
        None, description="when predictions are made, and in what time"
    )
    data_sources: Block | None = Field(None, description="where entities and outcomes come from")
    data_collection: Block | None = Field(
        None, description="how labels are collected, and how the data is kept fresh"
    )
    features: Block | None = Field(None, description="what the model sees at prediction time")
    building_models: Block | None = Field(
        None, description="how many models are needed, and when they are made anew"
    )
    monitoring: Block | None = Field(
        None, description="which metrics tell the value in production, and who looks"
    )
