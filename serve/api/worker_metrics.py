"""Metrics of the worker's process: its lag as it is seen from here, and where its time goes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from stream.telemetry import STAGES

_REASONS_MAX = 30


def worker_families(
    statuses: Mapping[str, Mapping[str, Any]], lags: Mapping[str, Mapping[str, int] | None]
) -> Iterator[Metric]:
    """Yield every family, over all streams.

    Parameters
    ----------
    statuses
        By stream, the newest checkpoint's status; empty before one.
    lags
        By stream and topic, how far the worker is behind; None where that is not known.
    """
    # Absent where the log does not answer: then riverrun_log_up is 0.
    lag = GaugeMetricFamily(
        "riverrun_lag_records",
        "Records between the newest checkpoint and the end of a topic",
        labels=["stream", "topic"],
    )
    # Counters of this process begin anew when it does.
    stages = CounterMetricFamily(
        "riverrun_worker_stage_seconds",
        "Time that the worker spent",
        labels=["stream", "stage"],
    )
    checkpoints = CounterMetricFamily(
        "riverrun_worker_checkpoints", "Checkpoints that this worker committed", labels=["stream"]
    )
    cost = GaugeMetricFamily(
        "riverrun_worker_checkpoint_seconds", "What the checkpoint before took", labels=["stream"]
    )
    memory = GaugeMetricFamily(
        "riverrun_worker_memory_bytes", "Resident memory of the worker", labels=["stream"]
    )
    started = GaugeMetricFamily(
        "riverrun_worker_start_time_seconds", "When this worker began", labels=["stream"]
    )
    # The commonest reasons by name, the rest as other.
    letters = CounterMetricFamily(
        "riverrun_dead_letters_by_reason",
        "Records sent to the dead-letter topic, by stage and kind",
        labels=["stream", "reason"],
    )
    for stream, status in statuses.items():
        for topic, behind in (lags.get(stream) or {}).items():
            lag.add_metric([stream, topic], behind)
        told = status.get("worker") or {}
        for stage in STAGES:
            stages.add_metric([stream, stage], (told.get("stages") or {}).get(stage, 0.0))
        checkpoints.add_metric([stream], told.get("checkpoints", 0))
        for family, value in (
            (cost, status.get("checkpoint_seconds")),
            (memory, told.get("memory_bytes")),
            (started, told.get("started_at")),
        ):
            if value is not None:
                family.add_metric([stream], value)
        for reason, count in _reasons(status.get("dead_letter_reasons") or {}).items():
            letters.add_metric([stream, reason], count)
    yield from (lag, stages, checkpoints, cost, memory, started, letters)


def _reasons(counts: Mapping[str, int]) -> dict[str, int]:
    """Return counts by reason, bounded; a reason that is shown stays shown.

    Examples
    --------
    >>> _reasons({"schema/wrong_type": 3})
    {'schema/wrong_type': 3, 'other': 0}
    """
    shown = dict(list(counts.items())[:_REASONS_MAX])
    return shown | {"other": sum(counts.values()) - sum(shown.values())}
