"""The shapes of live events: what stands in ``data``, by type.

That of ``run`` is ``serve.api.lifecycle.shapes.Change``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from serve.api.models import Checkpoint, MonitorStatus, Serving
from serve.api.monitoring.stage import Severity, State

EventType = Literal["status", "pane", "run", "anomaly", "prediction", "reload"]


class StatusEvent(BaseModel):
    """``status``: how the stream is, as of the newest checkpoint."""

    at: datetime = Field(description="When this was put together.")
    parts: dict[str, str] = Field(description="Store, model and log: ok, or what is wrong.")
    checkpoint: Checkpoint | None
    serving: Serving
    events_per_second: float | None = Field(
        description="Between the two newest checkpoints; 0 where the newest is over 5 seconds old."
    )
    lag: dict[str, int] | None = Field(
        description="Records not read yet, by partition, as the worker saw it; null: unknown."
    )
    lag_total: int | None
    counts: dict[str, int]
    labels: dict[str, int]
    scores: dict[str, Any]
    rolling: dict[str, Any]
    learned_offset: int | None
    watermark: datetime | None = Field(description="Event time up to which was read.")
    checkpoint_seconds: float | None = Field(description="What the checkpoint before took.")
    monitor: MonitorStatus | None
    run: dict[str, Any] | None = Field(description="The retraining run that is under way.")


class PaneEvent(BaseModel):
    """``pane``: a pane of the monitor closed."""

    pane: int
    state: State
    version: str
    first: datetime | None = Field(description="Smallest event time in it.")
    last: datetime | None
    events: int
    errors: int
    alarms: list[str] = Field(description="Features in alarm, the worst first; 20 at most.")
    alarms_total: int
    signals: dict[str, float] = Field(description="1 is the threshold of each but error_fraction.")
    wants: list[str] = Field(description="Actions that the state machine asked for.")
    drifts: list[dict[str, Any]] = Field(description="Changes of concept found in it.")


class AnomalyEvent(BaseModel):
    """``anomaly``: anomalies of one kind and feature since the checkpoint before."""

    kind: str
    feature: str = Field(description="Empty for the event or the pane as a whole.")
    severity: Severity
    count: int
    last_seen: datetime | None = Field(description="Event time.")
    sample: str | None = Field(description="Redacted: digits become # and letters x.")
    expected: str | None


class PredictionEvent(BaseModel):
    """``prediction``: one of the newest of a checkpoint; the others are counted."""

    id: str
    number: int
    time: datetime | None
    predicted_at: datetime | None
    prediction: bool | int | float | str | None
    probabilities: dict[str, float] | None
    model_version: str
    source: str
    latency_ms: int
    left_out: int = Field(
        description="Predictions of the same checkpoint that are not sent, on its first event."
    )


class ReloadEvent(BaseModel):
    """``reload``: events were left out; read anew what is shown, then go on from here."""

    reason: Literal["slow", "too_far", "unknown_id"] = Field(
        description="slow: this viewer did not keep up. too_far: more came since the id than is "
        "sent again. unknown_id: the store has no such id, as when it is another one."
    )
