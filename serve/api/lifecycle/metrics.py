"""Metrics of retraining, from the newest checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

_STATES = (
    "training", "racing", "shadow", "promoted", "probation", "kept", "rejected", "rolled_back",
    "failed", "cancelled", "imported",
)  # fmt: skip
_PHASES = ("training", "racing", "shadow", "probation")
_CLAIMS = ("better", "worse", "not_worse")
_SHADOWS_MAX = 20


def retrain_families(streams: Mapping[str, Mapping[str, Any]]) -> Iterator[Metric]:
    """Yield every family, over all streams.

    Parameters
    ----------
    streams
        By name, what ``stream.lifecycle.summary.lifecycle_summary`` told; empty before a
        checkpoint.
    """
    changes = CounterMetricFamily(
        "riverrun_run_changes", "Times that runs came to a state", labels=["stream", "state"]
    )
    promotions = CounterMetricFamily(
        "riverrun_promotions", "Models that took the champion's place", labels=["stream"]
    )
    rollbacks = CounterMetricFamily(
        "riverrun_rollbacks", "Promoted models that were sent back", labels=["stream"]
    )
    phase = GaugeMetricFamily(
        "riverrun_run_phase", "1 for the phase of the run under way", labels=["stream", "phase"]
    )
    labels = GaugeMetricFamily(
        "riverrun_gate_labels", "Labels that the gate has weighed", labels=["stream", "shadow"]
    )
    loss = GaugeMetricFamily(
        "riverrun_shadow_loss",
        "Mean loss on the same events, of a model in the shadow and of the one that serves",
        labels=["stream", "shadow", "of"],
    )
    evidence = GaugeMetricFamily(
        "riverrun_gate_log_evidence",
        "Log of the stake against the claim's opposite; log(1 / retrain.level) decides",
        labels=["stream", "shadow", "claim"],
    )
    for stream, told in streams.items():
        counts, run = told.get("changes") or {}, told.get("run") or {}
        for state in _STATES:
            changes.add_metric([stream, state], counts.get(state, 0))
        promotions.add_metric([stream], counts.get("promoted", 0))
        rollbacks.add_metric([stream], counts.get("rolled_back", 0))
        for name in _PHASES:
            phase.add_metric([stream, name], float(run.get("phase") == name))
        for shadow in run.get("shadows", [])[:_SHADOWS_MAX]:
            name, gate = shadow["name"], shadow["gate"]
            labels.add_metric([stream, name], gate["labels"])
            for of, key in (("shadow", "challenger_loss"), ("serving", "champion_loss")):
                if gate[key] is not None:
                    loss.add_metric([stream, name, of], gate[key])
            for claim in _CLAIMS:
                evidence.add_metric([stream, name, claim], gate[f"log_evidence_{claim}"])
    yield from (changes, promotions, rollbacks, phase, labels, loss, evidence)
