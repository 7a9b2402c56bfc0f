"""The status of a divided stream: what its shards add up to, and each of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from serve.status_reading import ADVICE, NoCheckpointError
from stream.config import Config
from stream.keys.adding import add_keys
from stream.sharding.names import shard_number
from stream.storage.sharding import Shard
from stream.storage.tables import SHARD

if TYPE_CHECKING:
    from stream.storage.store import Store, StoredCheckpoint

_SUMMED = ("counts", "labels", "dead_letter_reasons")
_SHOWN = ("model_version", "counts", "labels", "scored", "scores", "watermark", "learned_offset")


def shards_of(store: Store, config: Config) -> list[Shard]:
    """Return the shards of a stream.

    Raises
    ------
    NoCheckpointError
        When none was ever worked on, or the stream was not divided then.
    StoreUnreachableError
    """
    found = [shard for shard in store.sharding.all() if shard.name != SHARD]
    if not found:
        name = config.stream.name
        raise NoCheckpointError(f"no shard of {name!r} on {store.url} yet; {ADVICE}")
    return found


def status_of_shards(config: Config, shards: Sequence[Shard], now: float) -> dict[str, Any]:
    """Return the status of a stream whose partitions are shards, as plain data.

    Parameters
    ----------
    config
        The stream's.
    shards
        As the store knows them.
    now
        Seconds since the epoch, for ages.

    Returns
    -------
    dict
        ``counts``, ``labels``, ``dead_letter_reasons``, ``scored``, ``unscored`` and
        ``learned_offset`` are sums; ``offsets`` has all partitions; ``watermark`` is the event time
        that every shard with events has reached. ``shards`` has each of them, by number.
    """
    begun = sorted(shards, key=lambda shard: shard_number(shard.name))
    statuses = [shard.newest.status for shard in begun if shard.newest is not None]
    summed = {name: _sum(status[name] for status in statuses) for name in _SUMMED}
    marks = [status["watermark"] for status in statuses if status["watermark"] is not None]
    return {
        "stream": config.stream.name,
        "task": config.model.task,
        **summed,
        "scored": sum(status["scored"] for status in statuses),
        "unscored": sum(status["unscored"] for status in statuses),
        "offsets": _merged(status["offsets"] for status in statuses),
        "learned_offset": sum(status["learned_offset"] for status in statuses),
        "watermark": min(marks, default=None),
        "keys": add_keys(status.get("keys") for status in statuses),
        "shards": [_shard(shard, now) for shard in begun],
    }


def status_of_whole(newest: StoredCheckpoint | None, now: float) -> dict[str, Any]:
    """Return what the coordinator says of a stream whose partitions are shards, as plain data.

    Parameters
    ----------
    newest
        Its newest checkpoint; None before the first.
    now
        Seconds since the epoch, for ages.

    Returns
    -------
    dict
        ``monitor``, ``retrain``: as for a stream that is not divided; ``coordinator``: the worker
        that adds up and decides, its epoch, and number and age of its newest checkpoint. None where
        there is no such checkpoint.
    """
    if newest is None or "coordinator" not in newest.status:
        return {"monitor": None, "retrain": None, "coordinator": None}
    age = {"checkpoint_age_seconds": max(0.0, now - newest.created_at)}
    coordinator = newest.status["coordinator"] | age
    return {
        "monitor": newest.status["monitor"],
        "retrain": newest.status["retrain"],
        "coordinator": coordinator,
    }


def _sum(counted: Iterable[dict[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for counts in counted:
        total.update(counts)
    return dict(total)


def _merged(parts: Iterable[dict[str, int]]) -> dict[str, int]:
    return {place: offset for part in parts for place, offset in part.items()}


def _shard(shard: Shard, now: float) -> dict[str, Any]:
    newest = shard.newest
    known = {
        "shard": shard.name,
        "partition": shard_number(shard.name),
        "owner": shard.owner,
        "epoch": shard.epoch,
        "claimed_at": shard.acquired_at,
    }
    if newest is None:
        return known | {"checkpoint": None}
    status = newest.status
    return known | {
        "checkpoint": newest.number,
        "checkpoint_created_at": newest.created_at,
        "checkpoint_age_seconds": max(0.0, now - newest.created_at),
        **{name: status[name] for name in _SHOWN},
        "monitor": _monitor(status.get("monitor")),
        "state_digest": status["state_digest"],
        "transport": (status.get("worker") or {}).get("transport"),
        "worker": status.get("worker"),
    }


def _monitor(found: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if found is None else {"state": found["state"], "warm_up": found["warm_up"]}
