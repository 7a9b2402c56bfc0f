"""The table ``[model]`` of the configuration file: what learns."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from stream.sections import Name, Section, Share, Task


class CandidateSection(Section):
    """``[[model.candidates]]``: a pipeline that retraining tries beside the configured one."""

    name: Name | None = None
    pipeline: str = Field(description="a River expression")
    grid: dict[str, dict[str, list[bool | int | float | str]]] = Field(
        default_factory=dict, description="values to try, by class and parameter"
    )


class ModelSection(Section):
    """``[model]``: what learns."""

    task: Task
    pipeline: str | None = Field(
        None, description='a River expression; or "auto", for a sensible set that is raced'
    )
    candidates: tuple[CandidateSection, ...] = Field(
        (), max_length=32, description="pipelines that retraining tries too; each may have a grid"
    )
    factory: str | None = Field(None, description='own Python: "package.module:function"')
    metrics: tuple[str, ...] | None = Field(
        None, min_length=1, max_length=20, description="names of river.metrics"
    )
    classes: tuple[str | int, ...] | None = Field(
        None, description="labels that may come; binary: [negative, positive]"
    )
    window: int = Field(1_000, ge=10, le=100_000, description="labels in the rolling scores")
    seed: int = Field(42, description="given to every estimator that takes one")
    mini_batch: int | None = Field(
        None,
        ge=2,
        le=10_000,
        description="learn from so many labelled events at once, by River's learn_many, which "
        "every step must have; needs the extra minibatch",
    )
    share: Share = Field(
        "independent", description='how shards share a model, with stream.shards = "partition"'
    )
    average_every: int = Field(10_000, ge=1, description="events learned between two averages")
    averages_kept: int = Field(1_000, ge=2, description="averages that a replay can adopt again")
    per: str | None = Field(
        None,
        min_length=1,
        description="field of the event by which there are models: one a value, such as a "
        "customer, beside the shared one; docs/models-per-key.md",
    )
    per_feature: bool = Field(
        False, description="whether the models see that field, too, as a feature"
    )
    per_begin: Literal["copy", "fresh"] = Field(
        "copy",
        description="copy: a key's model begins as the shared one is at the key's first label; "
        "fresh: as one that has learned nothing",
    )
    per_min_events: int = Field(
        20,
        ge=1,
        description="labels that a key's model has learned from before it answers; until then the "
        "shared one does",
    )
    per_in_memory: int = Field(
        10_000, ge=1, description="models of keys held in memory; all others are in the store"
    )
    per_max_keys: int = Field(
        100_000,
        ge=1,
        le=10_000_000,
        description="keys that have a model; beyond it the key that learned longest ago is "
        "forgotten, and counted",
    )
