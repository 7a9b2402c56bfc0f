"""The shapes of ``POST /explain``."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from serve.api.models import MinOffset, SchemaFlag, with_example
from serve.explain.explain import Method
from stream.events import Scalar

_EVENT = {"carrier": "UA", "origin": "EWR", "distance": 1400}


class ExplainRequest(BaseModel):
    """An event whose prediction is to be explained. Nothing is recorded."""

    model_config = with_example({"event": _EVENT, "method": "auto"})

    event: dict[str, Scalar] = Field(
        description="As for a prediction; its id and its time may be missing."
    )
    method: Method = Field(
        "auto", description="auto takes the first that can explain the model, the exact ones first."
    )
    of_class: str | None = Field(
        None, description="Class to explain; default true, or the one that is predicted."
    )
    min_offset: MinOffset = None
    key: str | None = Field(
        None,
        min_length=1,
        max_length=512,
        description="Of a divided stream: what its producer keys the event by; default the id.",
    )


class Contribution(BaseModel):
    """What one input feature adds to the prediction."""

    feature: str
    value: Scalar = Field(description="In this event; null where it has none.")
    contribution: float
    error: float | None = Field(description="Standard error where it was sampled; null: exact.")


class ExplainAnswer(BaseModel):
    """A prediction as a sum: base_value, contributions and leaf_model add up to explained."""

    model_config = with_example(
        {
            "event_id": None,
            "prediction": True,
            "probabilities": {"false": 0.31, "true": 0.69},
            "method": "linear",
            "of_class": "true",
            "space": "log_odds",
            "base_value": -0.1,
            "contributions": [
                {"feature": "distance", "value": 1400, "contribution": 0.7, "error": None},
                {"feature": "carrier", "value": "UA", "contribution": 0.2, "error": None},
            ],
            "leaf_model": None,
            "explained": 0.8,
            "gap": 0.0,
            "samples": None,
            "background": None,
            "notes": [],
            "flags": [],
            "model_version": "v1",
            "learned_offset": 20417,
            "seconds": 0.002,
        }
    )

    event_id: str | None
    prediction: bool | int | float | str | None
    probabilities: dict[str, float] | None
    method: Literal["linear", "tree", "sampling"] = Field(
        description="linear: weights times features. tree: steps on the path through the tree, "
        "over a forest their mean. sampling: Shapley values, estimated."
    )
    of_class: str | None = Field(description="The class that is explained; null for a number.")
    space: Literal["log_odds", "link", "probability", "value", "score"] = Field(
        description="What adds up. log_odds: of the class; its probability is 1 / (1 + exp(-sum))."
    )
    base_value: float = Field(
        description="linear: the intercept. tree: the mean at the root. sampling: the mean "
        "prediction of the background."
    )
    contributions: list[Contribution] = Field(description="The largest first.")
    leaf_model: float | None = Field(
        description="tree: what the models in the leaves add to the path; null for other methods."
    )
    explained: float = Field(description="The prediction, in that space.")
    gap: float = Field(description="By how much the sum misses it: rounding.")
    samples: int | None = Field(description="Orders of features that were tried.")
    background: int | None = Field(
        description="Events that stood for an absent feature: the first ones of the stream."
    )
    notes: list[str] = Field(description="Why no more exact method was used.")
    flags: list[SchemaFlag] = Field(description="As for a prediction.")
    model_version: str
    learned_offset: int
    seconds: float = Field(description="Time that it took.")
    answered_by: Literal["parent", "key"] | None = Field(
        None, description="With models per key: whose prediction is explained; null without."
    )
