"""The shapes of ``GET /performance``."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from serve.api.models import with_example
from serve.api.monitoring.stage import Covered, Watched
from stream.sections import Task

Losses = dict[str, float | None]

_ESTIMATE = {
    "panes": 16,
    "predictions": 16000,
    "labels": 15200,
    "expected": {"accuracy": {"value": 0.81, "low": 0.8, "high": 0.82}},
    "realised": {"accuracy": 0.79},
}


class Coverage(BaseModel):
    """How many predictions have a label yet."""

    predictions: int
    labels: int = Field(
        description="Labels that came for predictions. Over a range: that came while its panes "
        "were open, also for predictions from before."
    )
    coverage: float | None = Field(
        description="Labels over predictions; null without predictions. Over a range it may pass 1."
    )


class ModelLoss(BaseModel):
    """The model, or a baseline, on the same labels."""

    model: str = Field(
        description="model: what was served. Baselines: no_change says the label that came last; "
        "majority (of regression: mean) what was commonest so far."
    )
    labels: int = Field(description="Labels for which all of them had an answer.")
    mean_loss: float | None


class SegmentLoss(BaseModel):
    """One category, or range, of one feature."""

    feature: str
    segment: str
    labels: int
    mean_loss: Losses = Field(description="By model.")


class AgeLoss(BaseModel):
    """Labels that took so long."""

    age: str = Field(description="From the event to its label.")
    upper_seconds: float | None = Field(description="Excluded; null is open.")
    labels: int
    mean_loss: Losses = Field(description="By model.")


class Delay(BaseModel):
    """The class of age by which a share of the labels had come; null without labels."""

    p50: str | None
    p90: str | None
    p99: str | None


class Fates(BaseModel):
    """What became of labels, and of predictions without one, since the stream began."""

    matched: int
    early: int = Field(description="Came before their event.")
    orphaned: int = Field(description="No event has their id.")
    late: int = Field(description="Came after labels.max_delay.")
    duplicate: int
    conflicting: int = Field(description="Came again and said something else.")
    expired: int = Field(description="Predictions given up after labels.max_delay.")
    evicted: int = Field(description="Predictions given up for labels.max_pending.")


class Band(BaseModel):
    """An expected metric, with three standard deviations of sampling around it."""

    value: float | None
    low: float | None
    high: float | None


class Outlook(BaseModel):
    """What the model's confidence promises, beside what came true of the labels there are."""

    panes: int
    predictions: int
    labels: int
    expected: dict[str, Band] = Field(
        description="Of all these predictions, if the model is as calibrated as it was after the "
        "warm-up. Outside of the band, realised metrics say that it is not."
    )
    realised: dict[str, float | None] = Field(description="Of the labels that came meanwhile.")


class Rolling(BaseModel):
    """Progressive scores of the last labels."""

    window: int
    scores: dict[str, Losses] | None = Field(description="By model and metric.")


class SincePromotion(BaseModel):
    """Progressive scores of the predictions made since the model that serves was promoted."""

    version: str
    time: datetime | None = Field(
        description="Event time of the promotion; null where none was: then it is the whole stream."
    )
    scored: int = Field(description="Labels of these predictions.")
    scores: dict[str, Losses] = Field(description="By model and metric.")


class RollingBeside(BaseModel):
    """The last of the labels for which the frozen model was asked."""

    scored: int
    scores: dict[str, Losses]


class BesideFrozen(BaseModel):
    """Losses on the labels for which the frozen model was asked."""

    labels: int
    mean_loss: Losses = Field(description="Of model and frozen, on the same labels.")


class FrozenBaseline(BaseModel):
    """The third baseline: the model that serves, as it was when it was promoted."""

    version: str
    time: datetime | None = Field(
        description="Event time when it was frozen: at the promotion; of the first version, behind "
        "the warm-up."
    )
    every: int = Field(description="It is asked about one event in so many, chosen by the id.")
    failed: str | None = Field(description="Why it says no more, where its model raised.")
    scored: int = Field(description="Labels of the events that it was asked about.")
    scores: dict[str, Losses] = Field(description="Of model and frozen, on the same labels.")
    rolling: RollingBeside = Field(description="Of these, the ones among the rolling labels.")
    mean_loss: Losses | None = Field(description="Of both since it was frozen.")


class PanePerformance(Coverage):
    """The labels that came while a pane was open."""

    index: int
    version: str
    first: datetime | None = Field(description="Event times of the pane's events.")
    last: datetime | None
    scored: int = Field(description="Labels for which all models had an answer.")
    mean_loss: Losses = Field(description="By model.")
    beside_frozen: BesideFrozen | None = Field(description="null where it was not asked.")
    outlook: Outlook | None = Field(description="Where it was asked for with outlooks=true.")


class PerformanceAnswer(Coverage, Watched):
    """How well the model does, beside the baselines, on the same labels."""

    model_config = with_example(
        {
            "stream": "flights",
            "checkpoint": 812,
            "state": "OK",
            "warm_up": None,
            "note": None,
            "task": "binary",
            "loss": "the Brier score of the stated probabilities, from 0 to 1",
            "range": None,
            "predictions": 58000,
            "labels": 55000,
            "coverage": 0.948,
            "models": [
                {"model": "model", "labels": 55000, "mean_loss": 0.16},
                {"model": "no_change", "labels": 55000, "mean_loss": 0.35},
                {"model": "majority", "labels": 55000, "mean_loss": 0.31},
            ],
            "segments": [
                {
                    "feature": "carrier",
                    "segment": "EV",
                    "labels": 8100,
                    "mean_loss": {"model": 0.36, "no_change": 0.41, "majority": 0.39},
                }
            ],
            "ages": [
                {
                    "age": "<6h",
                    "upper_seconds": 21600.0,
                    "labels": 55000,
                    "mean_loss": {"model": 0.27, "no_change": 0.35, "majority": 0.31},
                }
            ],
            "delay": {"p50": "<6h", "p90": "<6h", "p99": "<1d"},
            "fates": {
                "matched": 55000,
                "early": 0,
                "orphaned": 12,
                "late": 3,
                "duplicate": 0,
                "conflicting": 0,
                "expired": 40,
                "evicted": 0,
            },
            "outlook": _ESTIMATE,
            "scores": {"model": {"ROCAUC": 0.71}, "no_change": {"ROCAUC": 0.55}},
            "rolling": {"window": 1000, "scores": {"model": {"ROCAUC": 0.73}}},
            "since_promotion": {
                "version": "v1",
                "time": None,
                "scored": 55000,
                "scores": {"model": {"ROCAUC": 0.71}, "no_change": {"ROCAUC": 0.55}},
            },
            "frozen": {
                "version": "v1",
                "time": "2013-01-05T09:00:00Z",
                "every": 10,
                "failed": None,
                "scored": 4700,
                "scores": {"model": {"ROCAUC": 0.71}, "frozen": {"ROCAUC": 0.66}},
                "rolling": {
                    "scored": 98,
                    "scores": {"model": {"ROCAUC": 0.73}, "frozen": {"ROCAUC": 0.65}},
                },
                "mean_loss": {"model": 0.16, "frozen": 0.18},
            },
            "beside_frozen": None,
            "series": [
                {
                    "index": 57,
                    "version": "v1",
                    "first": "2013-07-12T20:10:00Z",
                    "last": "2013-07-12T22:01:00Z",
                    "predictions": 1000,
                    "labels": 950,
                    "coverage": 0.95,
                    "scored": 950,
                    "mean_loss": {"model": 0.26, "no_change": 0.33, "majority": 0.3},
                    "beside_frozen": {"labels": 97, "mean_loss": {"model": 0.26, "frozen": 0.29}},
                    "outlook": None,
                }
            ],
            "next": None,
        }
    )

    task: Task
    loss: str = Field(description="What a loss is in this task; 0 is perfect.")
    range: Covered | None = Field(
        description="The closed panes that were added up; null where the whole stream since its "
        "warm-up is told, the open pane included."
    )
    models: list[ModelLoss]
    segments: list[SegmentLoss] = Field(description="The worst for the model first.")
    ages: list[AgeLoss] = Field(description="By how long labels took, the fastest first.")
    delay: Delay
    fates: Fates | None = Field(description="null over a range: panes do not tell.")
    outlook: Outlook | None = Field(
        description="Of the last 16 panes, or of the range; null before the calibration, and for "
        "tasks that have none (regression, anomaly)."
    )
    scores: dict[str, Losses] | None = Field(
        description="Progressive scores of the whole stream, the warm-up included, by model and "
        "metric; null over a range."
    )
    rolling: Rolling | None = Field(description="The same of the last labels; null over a range.")
    since_promotion: SincePromotion | None = Field(
        description="The same since the promotion; null over a range."
    )
    frozen: FrozenBaseline | None = Field(
        description="What learning on is worth; null over a range, during the warm-up, and where "
        "monitor.frozen_every is 0."
    )
    beside_frozen: BesideFrozen | None = Field(
        None, description="Of a range: the panes in it, added up, whatever version served."
    )
    series: list[PanePerformance] = Field(description="Closed panes, newest first.")
    next: str | None = Field(description="Cursor of the next page of the series.")
