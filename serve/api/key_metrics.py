"""Metrics of models per key: what the worker said of them last, and what this process reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from serve.api.served_stream import ServedStream

_GAUGES = (
    # Bounded by model.per_max_keys and by model.per_in_memory.
    ("riverrun_keys", "keys", "Keys that have a model"),
    ("riverrun_keys_in_memory", "in_memory", "Models of keys in the worker's memory"),
)
_COUNTERS = (
    ("riverrun_keys_made", "made", "Keys that began"),
    # Pushed out by others: model.per_max_keys is too small, or somebody sends ever new keys.
    ("riverrun_keys_forgotten", "forgotten", "Keys forgotten for others"),
    ("riverrun_unkeyed", "unkeyed", "Events learned from that have no key which can be used"),
    # The next three begin anew with each worker.
    ("riverrun_key_loads", "loads", "Models of keys that the worker read from the store"),
    ("riverrun_key_spills", "spills", "Models of keys that left the worker's memory"),
    # Each costs more than checkpoint.share: model.per_in_memory is small for the stream.
    (
        "riverrun_crowded_checkpoints",
        "crowded_checkpoints",
        "Checkpoints made early, because too many models of keys had changed",
    ),
)


def key_families(streams: list[ServedStream]) -> Iterator[Metric]:
    """Yield every family, over the streams that have models per key; none where there is none."""
    keyed = [stream for stream in streams if stream.config.model.per is not None]
    if not keyed:
        return
    told = {stream.name: stream.status.get("keys") or {} for stream in keyed}
    for name, key, text in _GAUGES:
        yield _filled(GaugeMetricFamily(name, text, labels=["stream"]), told, key)
    for name, key, text in _COUNTERS:
        yield _filled(CounterMetricFamily(name, text, labels=["stream"]), told, key)
    answers = CounterMetricFamily(
        "riverrun_key_answers",
        "Predictions by the model that they are of: the key's own, or the parent",
        labels=["stream", "model"],
    )
    for stream, found in told.items():
        for model in ("key", "parent"):
            answers.add_metric([stream, model], (found.get("answers") or {}).get(model, 0))
    yield answers
    yield from _of_this_process(keyed)


def _of_this_process(keyed: list[ServedStream]) -> Iterator[Metric]:
    held = GaugeMetricFamily(
        "riverrun_served_keys", "Models of keys in this API's memory", labels=["stream"]
    )
    loads = CounterMetricFamily(
        "riverrun_served_key_loads", "Models of keys that this API read", labels=["stream"]
    )
    # The parent answered instead, or the key's model as it was.
    failures = CounterMetricFamily(
        "riverrun_served_key_failures",
        "Failed reads of models of keys by this API",
        labels=["stream"],
    )
    for stream in keyed:
        keys = stream.models.keys
        held.add_metric([stream.name], sum(map(len, keys)))
        loads.add_metric([stream.name], sum(one.loads for one in keys))
        failures.add_metric([stream.name], sum(one.failures for one in keys))
    yield from (held, loads, failures)


def _filled(family: Any, told: Mapping[str, Mapping[str, Any]], key: str) -> Metric:
    for stream, found in told.items():
        family.add_metric([stream], float(found.get(key, 0)))
    filled: Metric = family
    return filled
