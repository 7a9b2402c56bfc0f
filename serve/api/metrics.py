"""Every metric of the API, declared once.

What happens in requests is counted as it happens; what streams and workers know already is read
when Prometheus asks. Labels are bounded: routes by their templates, never by their paths.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import inf
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from monitor.prometheus import families
from serve.api.key_metrics import key_families
from serve.api.lifecycle.metrics import retrain_families
from serve.api.live_model import LiveShards
from serve.api.served_stream import ServedStream, Streams
from serve.api.shard_metrics import shard_families, shards_of
from serve.api.worker_metrics import worker_families
from stream.counts import LABEL_FATES

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

# Of this process, by stream: name, its reader, its help.
_SERVED_COUNTERS = (
    # Answers with a prediction, one for each event of a batch.
    ("riverrun_served_predictions", "answered", "Predictions given by this API"),
    # By the served schema, with api.on_schema_error = "refuse".
    ("riverrun_refused_events", "refused", "Events that the schema calls an error, not predicted"),
    ("riverrun_flagged_predictions", "flagged", "Predictions whose answer has flags"),
)
_MEMORY_COUNTERS = (
    # The same id asked again: answered the same, and not recorded again.
    ("riverrun_repeated_requests", "repeated", "Predictions answered from memory"),
    # Then each process remembers its own answers only.
    ("riverrun_remembered_file_failures", "failures", "Failed uses of api.remembered_file"),
)
_RECORDER_COUNTERS = (
    # Durable on the events topic, with the prediction that was served.
    ("riverrun_inference_log_appended", "appended", "Served events appended to the topic"),
    # Served and not recorded: the queue was full. Alert on any.
    ("riverrun_inference_log_shed", "shed", "Served events that found the queue full"),
    # Taken and not written: the log failed until the process stopped, or refused the size.
    ("riverrun_inference_log_lost", "lost", "Served events that were taken and not written"),
)

# Of the worker, from the newest checkpoint: name, key in its status' counts, its help.
_WORKER_COUNTERS = (
    # Events and label messages together.
    ("riverrun_events_read", "read", "Records that the worker has read"),
    # By the worker, or by an API before it.
    ("riverrun_predicted", "predicted", "Events that were predicted"),
    # Grows more slowly than predicted by what waits for its label.
    ("riverrun_learned", "learned", "Events that the model has learned from"),
    # While learning pauses: the monitor's state is HALTED.
    ("riverrun_unlearned", "unlearned", "Labelled events that were not learned from"),
    # Bad input; the topic of dead letters says why.
    ("riverrun_dead_lettered", "dead_lettered", "Records sent to the dead-letter topic"),
)


@dataclass(slots=True)
class RouteTimes:
    """How long the requests of one route took.

    Parameters
    ----------
    seconds, count
        All of them together.
    buckets
        Upper limit in seconds, and how many took at most so long.
    """

    seconds: float = 0.0
    count: float = 0.0
    buckets: list[tuple[float, float]] = field(default_factory=list)

    def quantile(self, share: float) -> float | None:
        """Return the time that a share of requests stayed below, between two limits a guess.

        Examples
        --------
        >>> RouteTimes(1.0, 10, [(0.25, 5), (0.5, 10), (float("inf"), 10)]).quantile(0.5)
        0.25
        """
        wanted, low, before = share * self.count, 0.0, 0.0
        for limit, count in self.buckets:
            if count >= wanted and count > before:
                if limit == inf:
                    return low
                return low + (limit - low) * (wanted - before) / (count - before)
            low, before = limit, count
        return None


class HttpMetrics:
    """What is measured of every request.

    Parameters
    ----------
    registry
        The application's own.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        # Errors are the statuses from 400 on; 499 is a client that went away.
        self._requests = Counter(
            "riverrun_http_requests_total",
            "Requests answered",
            ["method", "route", "status"],
            registry=registry,
        )
        # From the first byte of the request's head to the last of the answer.
        self._seconds = Histogram(
            "riverrun_http_request_seconds",
            "Time that requests took",
            ["route"],
            buckets=_BUCKETS,
            registry=registry,
        )
        # Memory, processor time and open files of this process; Linux only.
        ProcessCollector(registry=registry)
        self._known: dict[tuple[str, str | None, int], tuple[Counter, Histogram]] = {}

    def observe(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """Count one request. A route of None is a path that nothing answers."""
        method = method if method in _METHODS else "other"
        found = self._known.get((method, route, status))
        if found is None:  # looked up once, since each look-up locks and hashes again
            known = route or "none"
            found = self._requests.labels(method, known, status), self._seconds.labels(known)
            self._known[method, route, status] = found
        found[0].inc()
        found[1].observe(seconds)

    def times(self) -> dict[str, RouteTimes]:
        """Return how long requests took, by route."""
        found: dict[str, RouteTimes] = {}
        for sample in (one for family in self._seconds.collect() for one in family.samples):
            held = found.setdefault(sample.labels["route"], RouteTimes())
            if sample.name.endswith("_bucket"):
                held.buckets.append((float(sample.labels["le"]), sample.value))
            elif sample.name.endswith("_sum"):
                held.seconds = sample.value
            elif sample.name.endswith("_count"):
                held.count = sample.value
        return found


class StreamMetrics(Collector):
    """What streams know when Prometheus asks.

    Parameters
    ----------
    streams
        Those that the application serves.
    """

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    def of_process(self) -> Iterable[Metric]:
        """Return the families of this process, over all streams."""
        yield from self._of_this_process()
        yield from self._of_the_model()

    def collect(self) -> Iterable[Metric]:
        """Return the families that the store tells of, over all streams."""
        yield from self._of_the_worker()
        yield from worker_families(
            {s.name: s.status for s in self._streams},
            {s.name: s.lag.by_topic for s in self._streams},
        )
        yield from shard_families(
            {s.name: shards_of(s.models.shards, s.models.newest) for s in self._streams},
            {s.name: s.lag.by_partition for s in self._streams},
            {s.name: s.clock.now() for s in self._streams},
        )
        yield self._scores()
        # Of a stream whose monitor is switched off there is nothing.
        watched = [stream for stream in self._streams if stream.config.monitor.enabled]
        trained = [s for s in watched if s.config.retrain.enabled]
        yield from retrain_families({s.name: _status(s, "retrain") for s in trained})
        yield from families({stream.name: _status(stream, "monitor") for stream in watched})
        yield from self._deliveries()
        yield from key_families(list(self._streams))

    def _of_this_process(self) -> Iterator[Metric]:
        for name, attribute, text in _SERVED_COUNTERS:
            yield self._counter(name, text, lambda s, a=attribute: getattr(s, a))
        for name, attribute, text in _RECORDER_COUNTERS:
            yield self._counter(name, text, lambda s, a=attribute: getattr(s.recorder, a))
        for name, attribute, text in _MEMORY_COUNTERS:
            yield self._counter(name, text, lambda s, a=attribute: getattr(s.memory, a))
        # Near the capacity, the next ones are shed.
        yield self._gauge(
            "riverrun_inference_log_queued",
            "Served events waiting to be appended",
            lambda s: len(s.recorder),
        )
        yield self._gauge(
            "riverrun_inference_log_capacity",
            "Served events that may wait (api.queue)",
            lambda s: s.recorder.capacity,
        )
        # 0 makes /readyz red, and predictions go on.
        yield self._gauge(
            "riverrun_log_up",
            "Whether the event log accepts",
            lambda s: s.recorder.trouble is None,
        )
        yield self._gauge(
            "riverrun_store_up",
            "Whether the store answers",
            lambda s: s.models.store_trouble is None,
        )

    def _of_the_model(self) -> Iterator[Metric]:
        # How old the knowledge is that answers are given with.
        yield self._gauge(
            "riverrun_model_staleness_seconds",
            "Time since the served model's checkpoint was made",
            lambda s: None if s.models.live is None else s.clock.now() - s.models.live.created_at,
        )
        yield self._gauge(
            "riverrun_model_learned_offset",
            "How far the served model has read",
            lambda s: None if s.models.live is None else s.models.live.learned_offset,
        )
        yield self._counter(
            "riverrun_model_swaps", "Times a newer model was put in place", lambda s: s.models.swaps
        )
        # Of a divided stream: keys of these shards are answered with a 503, votes without them.
        yield self._gauge(
            "riverrun_model_shards_missing",
            "Shards without a model",
            lambda s: s.models.live.missing if isinstance(s.models.live, LiveShards) else None,
        )
        # 0: a checkpoint is damaged or of another riverrun, and the model before it answers.
        yield self._gauge(
            "riverrun_model_current",
            "Whether the newest checkpoint's model could be loaded",
            lambda s: s.models.trouble is None,
        )

    def _of_the_worker(self) -> Iterator[Metric]:
        for name, key, text in _WORKER_COUNTERS:
            yield self._counter(name, text, lambda s, k=key: _status(s, "counts").get(k, 0))
        # Predictions that wait for their labels, bounded by labels.max_pending.
        yield self._gauge(
            "riverrun_pending",
            "Predictions waiting for their labels",
            lambda s: _status(s, "counts").get("pending", 0),
        )
        labels = CounterMetricFamily(
            "riverrun_labels",
            "Labels by what became of them; expired and evicted are predictions given up",
            labels=["stream", "kind"],
        )
        for stream in self._streams:
            found = _status(stream, "labels")
            # Those that still wait for their event may yet match: a counter never falls.
            gone = {"orphaned": found.get("orphaned", 0) - found.get("early_waiting", 0)}
            for kind in LABEL_FATES:
                labels.add_metric([stream.name, kind], (found | gone).get(kind, 0))
        yield labels
        # Grows without end where no worker runs.
        yield self._gauge(
            "riverrun_checkpoint_age_seconds",
            "Time since the worker's newest checkpoint",
            lambda s: None if s.checkpointed_at is None else s.clock.now() - s.checkpointed_at,
        )

    def _scores(self) -> Metric:
        # of: model, or the baselines it must beat; window: all labels, the last model.window, those
        # since the promotion, and of these the ones that the frozen model was asked about, too.
        family = GaugeMetricFamily(
            "riverrun_score",
            "Progressive scores, of the model and of the baselines on the same events",
            labels=["stream", "metric", "of", "window"],
        )
        for stream in self._streams:
            windows = {
                "all": _status(stream, "scores"),
                "rolling": _status(stream, "rolling").get("scores") or {},
                "promotion": _status(stream, "since_promotion").get("scores") or {},
                "frozen": _status(stream, "frozen").get("scores") or {},
            }
            for window, scores in windows.items():
                for of, metrics in scores.items():
                    for metric, value in metrics.items():
                        if value is not None:
                            family.add_metric([stream.name, metric, of, window], value)
        return family

    def _deliveries(self) -> Iterator[Metric]:
        # outcome: sent; failed, tries that are made again; dropped, given up. Alert on dropped.
        family = CounterMetricFamily(
            "riverrun_deliveries",
            "Alerts and mirrored versions by receiver, and what became of them",
            labels=["stream", "receiver", "outcome"],
        )
        # Grows while a receiver is away.
        waiting = GaugeMetricFamily(
            "riverrun_deliveries_waiting",
            "Alerts and mirrored versions that wait to be delivered",
            labels=["stream", "receiver"],
        )
        for stream in self._streams:
            for receiver, found in stream.models.deliveries.items():
                for outcome in ("sent", "failed", "dropped"):
                    labels = [stream.name, receiver, outcome]
                    family.add_metric(labels, getattr(found, outcome))
                waiting.add_metric([stream.name, receiver], found.waiting)
        yield family
        yield waiting

    def _counter(self, name: str, text: str, read: Any) -> Metric:
        family = CounterMetricFamily(name, text, labels=["stream"])
        return self._fill(family, read)

    def _gauge(self, name: str, text: str, read: Any) -> Metric:
        family = GaugeMetricFamily(name, text, labels=["stream"])
        return self._fill(family, read)

    def _fill(self, family: CounterMetricFamily | GaugeMetricFamily, read: Any) -> Metric:
        for stream in self._streams:
            value = read(stream)
            if value is not None:
                family.add_metric([stream.name], float(value))
        return family


def _status(stream: ServedStream, section: str) -> dict[str, Any]:
    found: dict[str, Any] = stream.status.get(section) or {}
    return found
