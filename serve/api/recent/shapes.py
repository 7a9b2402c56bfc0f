"""The shapes of answers about single predictions, as OpenAPI shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from serve.api.models import with_example
from stream.events import Scalar

Source = Literal["worker", "api", "precomputed"]
LabelState = Literal["waiting", "labelled", "given_up", "none"]

_PLACE = {"topic": "flights.events", "partition": 0, "offset": 20418}
_ENTRY = {
    "id": "2013-01-01-UA-1545",
    "number": 20418,
    "time": "2013-01-01T05:15:00Z",
    "predicted_at": "2026-05-03T14:05:00.120000Z",
    "prediction": False,
    "probabilities": {"false": 0.82, "true": 0.18},
    "model_version": "v1",
    "learned_offset": 20417,
    "source": "worker",
    "latency_ms": 12,
    "label_state": "labelled",
    "label": True,
    "labelled_at": "2026-05-03T15:00:00.500000Z",
    "correct": False,
    "loss": 0.6724,
}


class PredictionEntry(BaseModel):
    """One prediction, and what became of it."""

    model_config = with_example(_ENTRY)

    id: str = Field(description="The event's.")
    number: int = Field(
        description="Predictions are counted from 1; those of 'riverrun score' by themselves."
    )
    time: datetime | None = Field(description="Event time; null where it is none of a calendar.")
    predicted_at: datetime | None
    prediction: bool | int | float | str | None
    probabilities: dict[str, float] | None = Field(
        description="Of each class by its name; null where the model gives none."
    )
    model_version: str
    learned_offset: int | None = Field(
        description="How far the model had read; null for one out of a file."
    )
    source: Source = Field(
        description="worker: predicted when the event was read. api: served before. precomputed: "
        "by 'riverrun score', ahead of time."
    )
    latency_ms: int | None = Field(
        description="From the event's append to its prediction; null for a precomputed one."
    )
    label_state: LabelState = Field(
        description="waiting; labelled; given_up: none came in time; none: precomputed, nobody "
        "waits."
    )
    label: bool | int | float | str | None
    labelled_at: datetime | None = Field(
        description="When the checkpoint was made that the label came with."
    )
    correct: bool | None = Field(
        description="Whether the predicted class is the label; null without a label or classes."
    )
    loss: float | None = Field(
        description="Brier score of a class, absolute error of a value; null without a label."
    )


class EventPlace(BaseModel):
    """Where the event stands on the log."""

    topic: str
    partition: int
    offset: int


class PredictionDetails(PredictionEntry):
    """A prediction with its event."""

    model_config = with_example(
        _ENTRY
        | {
            "features": {"carrier": "UA", "origin": "EWR", "distance": 1400},
            "features_note": None,
            "features_hash": "9c1f4f0e8d1b2a37",
            "place": _PLACE,
        }
    )

    features: dict[str, Scalar] | None = Field(description="As the model saw them.")
    features_note: str | None = Field(description="Why there are none; null where there are.")
    features_hash: str
    place: EventPlace | None = Field(description="null for a precomputed one.")


class Predictions(BaseModel):
    """Predictions, the newest first, and how far back they reach."""

    model_config = with_example(
        {
            "stream": "flights",
            "made": 20418,
            "kept": 10000,
            "keep": 10000,
            "reaches_back_to": "2026-05-03T13:20:11.040000Z",
            "matching": 1,
            "predictions": [_ENTRY],
            "next": None,
        }
    )

    stream: str
    made: int = Field(description="Predictions ever made, or stored ahead of time.")
    kept: int = Field(description="Those that can be looked at: the newest ones, all of them.")
    keep: int = Field(description="How many the configuration keeps: [predictions].")
    reaches_back_to: datetime | None = Field(
        description="When the oldest kept one was made; null where there is none, and for "
        "precomputed ones."
    )
    matching: int | None = Field(
        description="Kept ones that match the filters; null for precomputed ones."
    )
    predictions: list[PredictionEntry]
    next: str | None = Field(description="Cursor of the next page; null on the last.")
