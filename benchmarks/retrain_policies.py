"""Prequential loss of retraining policies on streams whose concept changes.

Each stream goes, event by event, to the same pipeline under five regimes: it only learns on;
riverrun's `periodic` policy (a fresh model of the last 5,000 events every 5,000 labels); riverrun's
`drift` policy, and the same in a hurry (`min_events` and `min_labels` of 200 instead of 1,000 and
500); and River's `drift.DriftRetrainingClassifier` around it, with its defaults (DDM, a background
model from the warning on). The loss is the Brier score of what was said before the label was
learned, from 0 to 1; a model that says nothing counts as guessing. Figures are medians over seeds,
in brackets the smallest and the largest; real streams have one order only. `smallest` names the
regimes within 1 % of the smallest loss.
"""

from __future__ import annotations

import sys
from statistics import median
from typing import Any

from river import drift

from benchmarks.retrain_streams import PIPELINES, Pair, Stream, config, pairs, records, streams
from stream.backtest.policies import Policy
from stream.backtest.replay import Replay
from stream.backtest.result import PolicyResult
from stream.clock import SystemClock
from stream.config import Config
from stream.pipelines.read import read_pipeline
from stream.watching.losses import losses as losses_of

NEAR = 1.01
REGIMES: dict[str, Policy] = {
    "only learns on": "never",
    "periodic": "periodic",
    "drift": "drift",
    "drift, in a hurry": "drift",
}
HURRY = {"min_events": 200, "min_labels": 200}
RIVER = "River DriftRetrainingClassifier"


def compare(seeds: int, events: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return a row of losses, and one of what drift did, for each stream and pipeline."""
    losses, details = [], []
    for stream in streams():
        for name, pipeline in PIPELINES.items():
            sys.stderr.write(f"policies: {stream.name}, {name}\n")
            found: dict[str, list[float]] = {}
            runs: list[tuple[PolicyResult, PolicyResult]] = []
            for seed in range(1, 2 if stream.is_real else seeds + 1):
                rows = pairs(stream, seed, events)
                history, settings = records(rows), config(pipeline)
                results = {
                    regime: Replay(
                        hurried(settings) if "hurry" in regime else settings,
                        history,
                        policy,
                        SystemClock(),
                    ).run()
                    for regime, policy in REGIMES.items()
                }
                for regime, result in results.items():
                    found.setdefault(regime, []).append(result.loss or 0.0)
                found.setdefault(RIVER, []).append(of_river(rows, pipeline))
                runs.append((results["drift"], results["only learns on"]))
            losses.append({"stream": stream.name, "pipeline": name} | _row(found))
            details.append({"stream": stream.name, "pipeline": name} | _detail(stream, runs))
    return losses, details


def hurried(settings: Config) -> Config:
    """Return a configuration whose runs wait for less."""
    return settings.model_copy(update={"retrain": settings.retrain.model_copy(update=HURRY)})


def of_river(rows: list[Pair], pipeline: str) -> float:
    """Return the mean prequential loss of River's own wrapper."""
    model = drift.DriftRetrainingClassifier(model=read_pipeline(pipeline, 42))
    classes: set[Any] = set()
    total = 0.0
    for x, y in rows:
        said = model.predict_proba_one(x)
        classes.add(y)
        guess = dict.fromkeys(classes, 1.0 / len(classes))
        stated = {str(name): float(share) for name, share in (said or guess).items()}
        total += float(losses_of("multiclass", [str(y)], [stated])[0])
        model.learn_one(x, y)
    return total / len(rows)


def _row(found: dict[str, list[float]]) -> dict[str, Any]:
    least = min(median(values) for values in found.values())
    best = [regime for regime, values in found.items() if median(values) <= least * NEAR]
    return {regime: _spread(values) for regime, values in found.items()} | {
        "smallest": ", ".join(best)
    }


def _spread(values: list[float]) -> str:
    middle = f"{median(values):.4f}"
    return middle if len(values) == 1 else f"{middle} ({min(values):.4f} to {max(values):.4f})"


def _detail(stream: Stream, runs: list[tuple[PolicyResult, PolicyResult]]) -> dict[str, Any]:
    drifts = [found for found, _ in runs]
    changes = [round(share * drifts[0].events) + 1 for share in stream.changes]
    after = [answer for found in drifts for answer in found.answers(changes)]
    promoted = sorted(answer.promoted for answer in after if answer.promoted is not None)
    return {
        "retrains": median(len(found.runs) for found in drifts),
        "promoted": median(found.count("promoted") for found in drifts),
        "wasted": median(found.count("wasted") for found in drifts),
        "changes answered": f"{len(promoted)} of {len(after)}" if after else "",
        "events to promotion": round(median(promoted)) if promoted else "",
        "training, s": round(median(found.training_seconds for found in drifts), 1),
        "in all, s": round(median(found.seconds for found in drifts), 1),
        "only learns on, s": round(median(base.seconds for _, base in runs), 1),
    }
