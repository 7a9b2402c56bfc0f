"""The run that is under way, in one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def run_text(run: Mapping[str, Any], training: Mapping[str, Any] | None = None) -> str:
    """Return how far a run is.

    Parameters
    ----------
    run
        As ``stream.lifecycle.summary.lifecycle_summary`` gives it.
    training
        What its training last told: events, left, events a second.

    Examples
    --------
    >>> run = {"number": 3, "version": "v4", "phase": "training", "trigger": "drift", "shadows": []}
    >>> run_text(run, {"events": 12000, "left": 3000, "rate": 4100.0})
    'run 3 (drift): v4 in training, 12,000 events, 3,000 records left, 4,100 events/s'
    """
    text = f"run {run['number']} ({run['trigger']}): {run['version']} in {run['phase']}"
    if run["phase"] == "training":
        if training and "events" in training:
            text += f", {training['events']:,} events"
        if training and "left" in training:
            text += f", {training['left']:,} records left"
        if training and training.get("rate"):
            text += f", {training['rate']:,.0f} events/s"
        return text
    parts = [_shadow(shadow, run) for shadow in run["shadows"][:5]]
    return "; ".join([text, *parts])


def _shadow(shadow: Mapping[str, Any], run: Mapping[str, Any]) -> str:
    gate = shadow["gate"]
    if shadow.get("failed"):
        return f"{shadow['name']} dropped out"
    if not gate["labels"]:
        return f"{shadow['name']}: no labels yet"
    # In the shadow the challenger is the new one, in the probation it is the former champion.
    return (
        f"{shadow['name']}: {gate['labels']:,} of {run['labels_wanted']:,} to "
        f"{run['labels_at_most']:,} labels, loss {gate['challenger_loss']:.4g} (serving: "
        f"{gate['champion_loss']:.4g}), log evidence {gate['log_evidence_better']:+.2f}"
    )


def under_way(status: Mapping[str, Any]) -> str:
    """Return the run that a status tells of; empty where none is under way."""
    run = (status.get("retrain") or {}).get("run")
    return "" if run is None else run_text(run)
