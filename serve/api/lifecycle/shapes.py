"""The shapes of answers about versions, runs and requests, as OpenAPI shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from serve.api.models import with_example

State = Literal[
    "serving", "probation", "training", "racing", "shadow", "rejected", "failed", "cancelled",
    "rolled_back", "kept", "gone",
]  # fmt: skip
RunState = Literal[
    "training", "racing", "shadow", "promoted", "probation", "kept", "rejected", "rolled_back",
    "failed", "cancelled",
]  # fmt: skip

_GATE = {
    "labels": 812,
    "champion_loss": 0.31,
    "challenger_loss": 0.28,
    "log_evidence_better": 5.1,
    "log_evidence_worse": -3.9,
    "log_evidence_not_worse": 9.4,
    "verdict": "better",
}
_VERSION = {
    "version": "v2",
    "state": "serving",
    "created_at": "2013-05-03T14:05:00Z",
    "run": 1,
    "trigger": "drift",
    "reason": "drift in pane 412",
    "by": "",
    "evidence": {"pane": 412},
    "decision": "v2 is better than v1 on 812 events.",
    "gate": _GATE,
    "scores": {"ROCAUC": 0.71},
    "moments": ["promoted"],
    "has_reference": True,
    "can_be_promoted": False,
}
_CHANGE = {
    "state": "promoted",
    "run": 1,
    "version": "v2",
    "at": "2013-05-03T14:05:00Z",
    "time": "2013-05-03T14:04:12Z",
    "sentence": "v2 is better than v1 on 812 events.",
    "detail": _GATE,
}
_REQUEST = {
    "request": 17,
    "kind": "retrain",
    "state": "waiting",
    "outcome": None,
    "by": "api",
    "asked_at": "2013-05-03T14:00:00Z",
    "answered_at": None,
    "url": "/v1/streams/flights/requests/17",
}


class ModelVersion(BaseModel):
    """One version of the model."""

    model_config = with_example(_VERSION)

    version: str
    state: State = Field(
        description="serving or probation: it answers. kept: it can be promoted. gone: nothing of "
        "it is left."
    )
    created_at: datetime
    run: int | None = Field(description="That made it; null for the first, a rebuild, an import.")
    trigger: str
    reason: str
    by: str = Field(description="Who asked; empty for the system itself.")
    evidence: dict[str, Any] = Field(description="The numbers behind the trigger.")
    decision: str = Field(description="The last sentence on it.")
    gate: dict[str, Any] = Field(description="The gate's numbers, where it faced another there.")
    scores: dict[str, float | None] = Field(description="Progressive scores of its training.")
    moments: list[str] = Field(description="When its model was kept.")
    has_reference: bool
    can_be_promoted: bool


class ModelVersions(BaseModel):
    """Versions, the newest first."""

    model_config = with_example({"serving": "v2", "models": [_VERSION], "next": None})

    serving: str | None = Field(description="The one that answers; null before a checkpoint.")
    models: list[ModelVersion]
    next: str | None = Field(description="The cursor of the next page; null on the last.")


class Change(BaseModel):
    """Something that happened to a run."""

    model_config = with_example(_CHANGE)

    state: str
    run: int = Field(description="0 where there was none.")
    version: str
    at: datetime = Field(description="Of the checkpoint that it came with.")
    time: datetime | None = Field(description="Event time.")
    sentence: str
    detail: dict[str, Any] = Field(description="The numbers.")


class HistoryEntry(BaseModel):
    """Something that happened to a version."""

    state: str
    run: int
    at: datetime
    time: datetime | None
    sentence: str


_DETAILS = {
    "why": "v2 was trained because the concept drifted in pane 412.",
    "trained_on": {"from": 351_000, "to": 401_000, "events": 50_000, "seconds": 9.1},
    "pipeline": "preprocessing.StandardScaler() | linear_model.LogisticRegression()",
    "candidates": {},
    "seed": 42,
    "schema_toml": None,
    "libraries": {"river": "0.26.1"},
    "fingerprint": "2f0c.91ab",
    "segments": {},
    "champion_scores": {"ROCAUC": 0.71},
    "former": "v1",
    "origin": None,
    "card": None,
    "history": [],
}


class ModelDetails(ModelVersion):
    """All that is known of a version: why it is there, and on what it was trained."""

    model_config = with_example(_VERSION | _DETAILS)

    why: str
    trained_on: dict[str, Any] | None = Field(
        description="Range of offsets, events, seconds; null where it had no training of its own."
    )
    pipeline: str
    candidates: dict[str, str] = Field(description="By name, what its run trained.")
    seed: int | None
    schema_toml: str | None = Field(description="What events had to be, as schema.toml.")
    libraries: dict[str, str]
    fingerprint: str
    segments: dict[str, dict[str, Any]] = Field(description="By segment, labels and evidence.")
    champion_scores: dict[str, float | None] = Field(
        description="Rolling scores of the champion when it was decided."
    )
    former: str | None = Field(description="That served before it, when it was promoted.")
    origin: dict[str, Any] | None = Field(description="Of an import: where it came from.")
    card: dict[str, Any] | None = Field(description="Of an import: the model card in its file.")
    history: list[HistoryEntry] = Field(description="Oldest first.")


class Shadow(BaseModel):
    """A model in the shadow, with the evidence so far."""

    name: str
    role: Literal["challenger", "former"]
    version: str
    failed: str | None
    gate: dict[str, Any]


class Retrain(BaseModel):
    """One retraining run."""

    model_config = with_example(
        {
            "run": 1,
            "version": "v2",
            "state": "probation",
            "is_under_way": True,
            "trigger": "drift",
            "reason": "drift in pane 412",
            "by": "",
            "began_at": "2013-05-03T13:00:00Z",
            "sentence": "v2 serves; v1 is in its shadow.",
            "training": None,
            "shadows": [],
            "changes": [_CHANGE],
        }
    )

    run: int
    version: str = Field(description="What its winner is called.")
    state: RunState
    is_under_way: bool
    trigger: str
    reason: str
    by: str
    began_at: datetime
    sentence: str = Field(description="What happened last.")
    training: dict[str, Any] | None = Field(
        description="How far the training is: events, records left, events a second; null "
        "elsewhere."
    )
    shadows: list[Shadow] = Field(description="Of the run that is under way.")
    changes: list[Change] = Field(description="Oldest first.")


class Retrains(BaseModel):
    """Runs, the newest first."""

    model_config = with_example({"retrains": [], "next": None})

    retrains: list[Retrain]
    next: str | None = Field(description="The cursor of the next page; null on the last.")


class Reason(BaseModel):
    """Why something is asked of the worker."""

    model_config = with_example({"reason": "prices were raised on Monday"})

    reason: str = Field(
        min_length=1, max_length=2_000, description="It is written down with what comes of it."
    )


class AskedOfWorker(BaseModel):
    """A request that stands in the store, and what became of it."""

    model_config = with_example(_REQUEST)

    request: int
    kind: str
    state: Literal["waiting", "done", "refused"] = Field(
        description="waiting until a running worker has answered, within a second or two."
    )
    outcome: str | None = Field(description="What the worker said; null while it waits.")
    by: str
    asked_at: datetime
    answered_at: datetime | None
    url: str = Field(description="Where to look for the answer.")
