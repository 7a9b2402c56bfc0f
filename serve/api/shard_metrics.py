"""Metrics of shards: how many there are, and how each is; a stream that is not divided is one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from stream.sharding.names import shard_number
from stream.storage.sharding import Shard
from stream.storage.stored import StoredCheckpoint
from stream.storage.tables import SHARD

MOST = 256
"""Shards of a stream that have families of their own, by number; the rest are in the sums only."""


def shard_families(
    shards: Mapping[str, Sequence[Shard]],
    behind: Mapping[str, Mapping[int, int] | None],
    now: Mapping[str, float],
) -> Iterator[Metric]:
    """Yield every family, over all streams.

    Parameters
    ----------
    shards
        By stream, as the store knows them; see ``shards_of``.
    behind
        By stream and number of the partition, how far the worker is behind; None where not known.
    now
        By stream, seconds since the epoch, for ages.
    """
    # That were ever claimed; as many as partitions, once each had a worker.
    count = GaugeMetricFamily(
        "riverrun_shards", "Shards of the stream that had a worker", labels=["stream"]
    )
    # By the newest claim of each: one that died counts until its shards are others'.
    workers = GaugeMetricFamily(
        "riverrun_shard_workers", "Workers that claimed shards last", labels=["stream"]
    )
    labels = ["stream", "shard"]
    # Rises with each move, and each start of a worker. Alert on one that rises all the time.
    epoch = CounterMetricFamily("riverrun_shard_claims", "Times a shard was claimed", labels=labels)
    events = CounterMetricFamily("riverrun_shard_events", "Events of a shard", labels=labels)
    learned = CounterMetricFamily(
        "riverrun_shard_learned", "Events that a shard's model has learned from", labels=labels
    )
    pending = GaugeMetricFamily(
        "riverrun_shard_pending", "Predictions of a shard waiting for labels", labels=labels
    )
    age = GaugeMetricFamily(
        "riverrun_shard_checkpoint_age_seconds", "Time since its newest checkpoint", labels=labels
    )
    # Absent where the log does not answer. With an old checkpoint: nobody works on it.
    lag = GaugeMetricFamily(
        "riverrun_shard_lag_records",
        "Records between a shard's newest checkpoint and the ends of its partitions",
        labels=labels,
    )
    for stream, all_of_it in shards.items():
        known = sorted(all_of_it, key=lambda shard: _number(shard.name))
        count.add_metric([stream], len(known))
        workers.add_metric([stream], len({shard.owner for shard in known}))
        left = behind.get(stream) or {}
        for shard in known[:MOST]:
            of = [stream, shard.name]
            epoch.add_metric(of, shard.epoch)
            if left:
                lag.add_metric(of, left.get(_number(shard.name), sum(left.values())))
            if shard.newest is None:
                continue
            counts = shard.newest.status["counts"]
            events.add_metric(of, counts.get("events", 0))
            learned.add_metric(of, counts.get("learned", 0))
            pending.add_metric(of, counts.get("pending", 0))
            age.add_metric(of, max(0.0, now[stream] - shard.newest.created_at))
    yield from (count, workers, epoch, events, learned, pending, age, lag)


def shards_of(divided: Sequence[Shard], newest: StoredCheckpoint | None) -> list[Shard]:
    """Return the shards of a divided stream, or the one that any other stream is.

    Parameters
    ----------
    divided
        Shards of a stream that is divided; rows of the whole stream are left out.
    newest
        The newest checkpoint of a stream that is not.
    """
    found = [shard for shard in divided if shard.name != SHARD]
    if found or newest is None:
        return found
    return [Shard(SHARD, newest.epoch, "", newest.created_at, newest)]


def _number(name: str) -> int:
    return -1 if name == SHARD else shard_number(name)
