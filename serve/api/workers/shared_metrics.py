"""Metrics of several processes as those of one server, in prometheus-client's files.

Requests are counted there as they come, by every process; what a process knows of itself is copied
there twice a second, and when Prometheus asks. Counters are added up and outlive a process that
dies; of gauges only those of the living count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from prometheus_client import Counter, Gauge, ProcessCollector
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector, CollectorRegistry

from serve.api.workers.share import Share

# How the gauges of processes become one; the others are added up.
_TOGETHER = {
    "riverrun_log_up": "livemin",
    "riverrun_store_up": "livemin",
    "riverrun_keys_current": "livemin",
    "riverrun_model_current": "livemin",
    "riverrun_model_learned_offset": "livemin",
    "riverrun_model_staleness_seconds": "livemax",
}


class SharedMetrics:
    """What one process gives to the metrics of all.

    Parameters
    ----------
    share
        The processes' folder.
    own
        Returns what this process knows of itself.
    """

    def __init__(self, share: Share, own: Callable[[], Iterable[Metric]]) -> None:
        self._share = share
        self._own = own
        self._metrics: dict[str, Counter | Gauge] = {}
        self._counted: dict[tuple[str, tuple[str, ...]], float] = {}

    def registry(self, of_the_store: Collector) -> CollectorRegistry:
        """Return what answers Prometheus.

        Parameters
        ----------
        of_the_store
            What every process reads from the store, and would say alike.
        """
        registry = CollectorRegistry()
        registry.register(_All(self, self._share))
        registry.register(of_the_store)
        return registry

    def publish(self) -> None:
        """Copy what this process knows of itself to where the others see it."""
        for family in self._own():
            for sample in family.samples:
                names, values = tuple(sample.labels), tuple(sample.labels.values())
                metric = self._metric(family, names)
                found: Any = metric.labels(*values) if names else metric
                if isinstance(metric, Gauge):
                    found.set(sample.value)
                    continue
                before = self._counted.get((family.name, values), 0.0)
                found.inc(max(0.0, sample.value - before))
                self._counted[family.name, values] = sample.value

    def _metric(self, family: Metric, names: tuple[str, ...]) -> Counter | Gauge:
        metric = self._metrics.get(family.name)
        if metric is None:
            about = (family.name, family.documentation, names)
            if family.type == "counter":
                metric = Counter(*about, registry=None)
            else:
                mode: Any = _TOGETHER.get(family.name, "livesum")
                metric = Gauge(*about, registry=None, multiprocess_mode=mode)
            self._metrics[family.name] = metric
        return metric


class _All(Collector):
    """The metrics of all processes, and memory and processor time of each."""

    def __init__(self, own: SharedMetrics, share: Share) -> None:
        self._own = own
        self._share = share

    def collect(self) -> Iterable[Metric]:
        self._own.publish()
        files = MultiProcessCollector(None, str(self._share.metrics))  # type: ignore[no-untyped-call]
        yield from files.collect()  # type: ignore[no-untyped-call]
        yield from self._processes()

    def _processes(self) -> Iterable[Metric]:
        """Return the usual metrics of each process, by its slot."""
        families: dict[str, Metric] = {}
        for slot, pid in sorted(self._share.processes().items()):
            found = ProcessCollector(pid=partial(int, pid), registry=None)
            for family in found.collect():
                known = families.setdefault(
                    family.name, Metric(family.name, family.documentation, family.type)
                )
                for sample in family.samples:
                    known.add_sample(sample.name, {"worker": str(slot)}, sample.value)
        return families.values()
