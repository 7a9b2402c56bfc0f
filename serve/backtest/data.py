"""A comparison of policies as plain data for JSON."""

from __future__ import annotations

from typing import Any

import msgspec

from serve.backtest.compare import Answer, Comparison
from stream.backtest.result import WINDOW, PolicyResult

POINTS = 400


def as_data(found: Comparison) -> dict[str, Any]:
    """Give a comparison as plain data; but for seconds, the same for the same arguments."""
    return {
        "name": found.history.name,
        "task": found.task,
        "seed": found.seed,
        "events": found.history.events,
        "changes": found.changes,
        "window": WINDOW,
        "policies": [_policy(found, result) for result in found.results],
        "demands": [_answer(answer) for answer in found.answers],
        "notes": found.notes,
    }


def _policy(found: Comparison, result: PolicyResult) -> dict[str, Any]:
    at, loss = result.rolling(POINTS)
    runs = [msgspec.to_builtins(run) | {"wasted": run.is_wasted} for run in result.runs]
    return {
        "policy": result.policy,
        "loss": result.loss,
        "gain": found.gain(result),
        "scores": result.scores,
        "labels": result.labelled,
        "dead_lettered": result.dead_lettered,
        "unlearned": result.unlearned,
        "retrains": len(result.runs),
        "promoted": result.count("promoted"),
        "wasted": result.count("wasted"),
        "rolled_back": result.count("rolled_back"),
        "training_seconds": round(result.training_seconds, 3),
        "seconds": round(result.seconds, 3),
        "after_changes": [msgspec.to_builtins(a) for a in result.answers(found.changes)],
        "drifts": [{"event": at, "by": by} for at, by in result.drifts],
        "runs": runs,
        "rolling": {"event": at, "loss": [round(value, 6) for value in loss]},
    }


def _answer(answer: Answer) -> dict[str, Any]:
    return {
        "metric": answer.demand.metric,
        "value": answer.demand.value,
        "policy": answer.policy,
        "found": answer.found,
        "holds": answer.holds,
    }
