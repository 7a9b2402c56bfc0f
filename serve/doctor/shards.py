"""A divided stream: every shard has a worker, all are of one version, no partition was added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing

from serve.api.lag import behind
from serve.compose import Secrets, open_stream_log, open_stream_store
from serve.doctor.diagnosis import Chart
from serve.status_reading import missing_file
from stream.config import Config
from stream.log import Bounds
from stream.records import TopicPartition
from stream.sharding.names import shard_number
from stream.storage.sharding import Shard
from stream.storage.tables import SHARD

_LATE_CHECKPOINTS, _LATE_SECONDS = 3, 60.0
_SHOWN = 10


def look_at_shards(chart: Chart, config: Config, secrets: Secrets, now: float) -> None:
    """Look at the shards of a divided stream; says nothing of any other, or where a part is away.

    Parameters
    ----------
    chart
        Takes what is found.
    config, secrets
        Of the stream.
    now
        Seconds since the epoch.
    """
    if config.stream.shards != "partition" or missing_file(config.stream.store) is not None:
        return
    with (
        chart.looking_at("shards", "see what is said of the store"),
        closing(open_stream_store(config, secrets)) as store,
    ):
        shards = [shard for shard in store.sharding.all() if shard.name != SHARD]
        if not shards:
            chart.warning("shards", "none was ever begun", "start a worker: riverrun worker")
            return
        _versions(chart, shards)
        bounds = _bounds(chart, config, secrets)
        if bounds is None:
            return
        count = len({place for place in bounds if place.topic == config.events_topic})
        if _fits(chart, config, shards, count):
            _workers(chart, config, shards, bounds, count, now)


def _bounds(
    chart: Chart, config: Config, secrets: Secrets
) -> Mapping[TopicPartition, Bounds] | None:
    if missing_file(config.stream.broker) is not None:
        return None
    with (
        chart.looking_at("shards", "see what is said of the log"),
        closing(open_stream_log(config, secrets)) as log,
        closing(log.source([config.events_topic, config.labels_topic])) as source,
    ):
        return source.bounds()
    return None


def _fits(chart: Chart, config: Config, shards: Sequence[Shard], count: int) -> bool:
    divided = {int(shard.name.rpartition("-")[2]) for shard in shards}
    if divided == {count}:
        return True
    numbers = " and ".join(map(str, sorted(divided)))
    chart.wrong(
        "shards",
        f"the store holds the stream in {numbers} shards, and {config.events_topic} has {count} "
        "partitions: keys are on other partitions now, and no state would fit",
        "give the stream a new name, which learns it anew from the log (docs/scaling.md)",
    )
    return False


def _versions(chart: Chart, shards: Sequence[Shard]) -> None:
    """Compare what wrote the newest checkpoints: all should have come from one installation."""
    wrote: dict[str, list[str]] = {}
    for shard in shards:
        if shard.newest is not None:
            identity = shard.newest.identity
            known = [f"{name} {number}" for name, number in sorted(identity.libraries.items())]
            text = ", ".join([*known, f"checkpoints of format {identity.format}"])
            wrote.setdefault(text, []).append(shard.name)
    if len(wrote) > 1:
        found = "; ".join(f"{_named(names)}: {text}" for text, names in wrote.items())
        chart.warning(
            "shards",
            f"their workers are not of one version: {found}",
            "bring all workers to one version; a shard that moves to another River is learned anew",
        )


def _workers(
    chart: Chart,
    config: Config,
    shards: Sequence[Shard],
    bounds: Mapping[TopicPartition, Bounds],
    count: int,
    now: float,
) -> None:
    begun = {shard_number(shard.name) for shard in shards}
    if never := sorted(set(range(count)) - begun):
        chart.wrong(
            "shards",
            f"no worker has ever had {_named([f'{number}-of-{count}' for number in never])}",
            "start a worker, and look at its log: riverrun worker",
        )
    longest = config.checkpoint.max_interval / 1000
    late = max(_LATE_SECONDS, _LATE_CHECKPOINTS * longest, config.worker.session_timeout / 1000)
    stopped = [text for shard in shards if (text := _stopped(shard, bounds, late, now))]
    if stopped:
        chart.wrong(
            "shards",
            f"nobody works on {'; '.join(stopped[:_SHOWN])}",
            "start a worker, or end the one that hangs (docs/runbook.md#riverrunshardstopped)",
        )
    elif not never:
        owners = len({shard.owner for shard in shards})
        chart.ok("shards", f"{len(shards)}, claimed last by {owners} workers; each is read on")


def _stopped(
    shard: Shard, bounds: Mapping[TopicPartition, Bounds], late: float, now: float
) -> str | None:
    """Return what stands still, and since when; None of one that goes on, or has nothing to do."""
    since = shard.acquired_at if shard.newest is None else shard.newest.created_at
    offsets = {} if shard.newest is None else shard.newest.offsets
    waiting = sum(
        behind(held, offsets.get(str(place)))
        for place, held in bounds.items()
        if place.partition == shard_number(shard.name)
    )
    if not waiting or now - since <= late:
        return None
    ago = f"{now - since:,.0f} s ago"
    return f"{shard.name}: {waiting:,} records wait, and {shard.owner} was heard {ago}"


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
