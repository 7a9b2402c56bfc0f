"""How far the monitor of a stream is: what every answer about it begins with."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from serve.api.monitoring.queries import moment
from serve.api.problems import ProblemError, problem_of
from serve.api.served_stream import ServedStream, Streams
from stream.storage.store import StoredCheckpoint

State = Literal["OK", "WARNING", "DRIFT", "RETRAINING", "COOLDOWN", "HALTED"]
Role = Literal["feature", "prediction", "label"]
Severity = Literal["error", "warning"]


class WarmUp(BaseModel):
    """The events that schema and reference will be made of."""

    events: int = Field(description="Those there are.")
    wanted: int = Field(description="Those that are needed: monitor.warmup_events.")


class Watched(BaseModel):
    """How far the monitor is."""

    stream: str
    checkpoint: int | None = Field(
        description="Number of the newest checkpoint; null before the first."
    )
    state: State | None = Field(description="Of the state machine; null before a checkpoint.")
    warm_up: WarmUp | None = Field(description="null before a checkpoint, and once it is over.")
    note: str | None = Field(description="Why there is nothing to show yet; null where there is.")


class Covered(BaseModel):
    """Which closed panes an answer is about."""

    panes: int = Field(description="Closed panes that reach into the range.")
    events: int
    first: datetime | None = Field(description="Smallest event time in them; null for none.")
    last: datetime | None = Field(description="Largest event time in them.")


def watched_stream(streams: Streams, name: str) -> ServedStream:
    """Return a stream whose monitor is on.

    Raises
    ------
    ProblemError
        404 where there is no such stream, or its monitor is switched off.
    """
    stream = streams.find(name)
    if not stream.config.monitor.enabled:
        detail = (
            f"the monitor of {name!r} is switched off: nothing of its schema, drift and "
            "performance is recorded; set monitor.enabled = true and start worker and API again"
        )
        raise ProblemError(problem_of(404, "monitor_disabled", detail))
    return stream


def stage_of(stream: str, newest: StoredCheckpoint | None) -> dict[str, Any]:
    """Return the fields of ``Watched`` for a stream's newest checkpoint."""
    found = monitor_of(newest)
    warm_up, last = found.get("warm_up"), found.get("last_pane")
    note = None
    if newest is None:
        note = "no checkpoint yet; start a worker: 'riverrun worker'"
    elif not found:
        note = "the worker runs with its monitor switched off; start it with this configuration"
    elif warm_up is not None:
        note = (
            f"the warm-up has {warm_up['events']:,} of {warm_up['wanted']:,} events; then schema "
            "and reference are made of them"
        )
    elif last is None:
        note = (
            f"no pane has closed since the warm-up; the open one has {found['open_pane']:,} events"
        )
    return {
        "stream": stream,
        "checkpoint": None if newest is None else newest.number,
        "state": found.get("state"),
        "warm_up": warm_up,
        "note": note,
    }


def monitor_of(newest: StoredCheckpoint | None) -> dict[str, Any]:
    """Return the monitor's part of a checkpoint's status; empty where there is none."""
    return {} if newest is None else newest.status.get("monitor") or {}


def covered(panes: int, events: int, first: float, last: float) -> Covered:
    """Return what an answer is about; times in seconds, not finite without panes."""
    return Covered(panes=panes, events=events, first=moment(first), last=moment(last))
