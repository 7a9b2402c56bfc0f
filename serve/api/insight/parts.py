"""Which part of a stream is red: log, store, worker, model, learning, what is given out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel, Field

from serve.api.served_stream import ServedStream
from stream.redact import without_secrets
from stream.sharding.names import shard_number
from stream.storage.tables import SHARD

PartState = Literal["ok", "warn", "bad", "unknown"]

_LATE_CHECKPOINTS = 3
_LATE_SECONDS = 15.0


class Part(BaseModel):
    """One part, and how it is."""

    part: str
    state: PartState
    detail: str
    advice: str | None = Field(description="What to do; null where nothing is.")


def parts_of(stream: ServedStream, now: float) -> list[Part]:
    """Return the parts of a stream, in the order that an event passes them.

    Parameters
    ----------
    stream
        What is looked at.
    now
        Seconds since the epoch.
    """
    return list(_parts(stream, now))


def _parts(stream: ServedStream, now: float) -> Iterator[Part]:
    config, models, recorder = stream.config, stream.models, stream.recorder
    trouble = recorder.trouble or stream.lag.trouble
    yield _either("log", trouble, without_secrets(config.stream.broker), "start the event log")
    store = models.store_trouble
    yield _either("store", store, without_secrets(config.stream.store), "start the database")
    yield _worker(stream, now)
    if models.live is None:
        advice = "start a worker: 'riverrun worker'"
        yield Part(part="model", state="unknown", detail="none yet", advice=advice)
    else:
        told = f"{models.live.version} answers"
        yield _either("model", models.trouble, told, "see 'riverrun models list'")
    yield _learning(stream)
    lost = recorder.shed + recorder.lost
    yield Part(
        part="inference log",
        state="bad" if lost else "ok",
        detail=f"{recorder.appended:,} served predictions recorded, {lost:,} not",
        advice="raise api.queue, or look at the log" if lost else None,
    )
    for name, one in models.deliveries.items():
        bad = one.dropped > 0 or one.last_error is not None
        yield Part(
            part=f"deliveries to {name}",
            state="warn" if bad else "ok",
            detail=one.last_error or f"{one.sent:,} delivered, {one.waiting:,} waiting",
            advice="see 'riverrun alerts'" if bad else None,
        )


def _either(part: str, trouble: str | None, fine: str, advice: str) -> Part:
    if trouble is None:
        return Part(part=part, state="ok", detail=fine, advice=None)
    return Part(part=part, state="bad", detail=without_secrets(trouble), advice=advice)


def _worker(stream: ServedStream, now: float) -> Part:
    if stream.models.shards:
        return _workers(stream, now)
    newest = stream.models.newest
    if newest is None:
        advice = "start one: 'riverrun worker', or 'riverrun up' for everything"
        return Part(part="worker", state="unknown", detail="no checkpoint yet", advice=advice)
    age = max(0.0, now - newest.created_at)
    lag = stream.lag.total
    usual = stream.config.checkpoint.max_interval / 1000
    late = age > max(_LATE_SECONDS, _LATE_CHECKPOINTS * usual)
    detail = f"checkpoint {newest.number:,} is {age:,.0f} s old"
    if lag:
        detail += f", {lag:,} records are not read yet"
    if late and lag:
        advice = "is 'riverrun worker' running? Its log says why it stands still"
        return Part(part="worker", state="bad", detail=detail, advice=advice)
    if late:
        detail += "; there is nothing new to read"
    return Part(part="worker", state="ok", detail=detail, advice=None)


def _workers(stream: ServedStream, now: float) -> Part:
    """Return how those of a divided stream are: one shard that stands still is hidden in sums."""
    shards = [shard for shard in stream.models.shards if shard.name != SHARD]
    left = stream.lag.by_partition or {}
    late = max(_LATE_SECONDS, _LATE_CHECKPOINTS * stream.config.checkpoint.max_interval / 1000)
    still = [
        shard.name
        for shard in shards
        if left.get(shard_number(shard.name))
        and now - (shard.acquired_at if shard.newest is None else shard.newest.created_at) > late
    ]
    if still:
        detail = f"nobody works on {len(still)} of {len(shards)} shards, such as {still[0]}"
        advice = "start a worker, or end the one that hangs; 'riverrun doctor' names the shards"
        return Part(part="worker", state="bad", detail=detail, advice=advice)
    owners = len({shard.owner for shard in shards})
    detail = f"{len(shards)} shards, claimed last by {owners} workers"
    if lag := stream.lag.total:
        detail += f", {lag:,} records are not read yet"
    return Part(part="worker", state="ok", detail=detail, advice=None)


def _learning(stream: ServedStream) -> Part:
    newest = stream.models.newest
    found = {} if newest is None else newest.status.get("monitor") or {}
    state = found.get("state")
    if state is None:
        detail = "not watched" if not stream.config.monitor.enabled else "not begun"
        return Part(part="learning", state="unknown", detail=detail, advice=None)
    if state == "HALTED":
        advice = "correct the producer, or schema.toml; it goes on by itself when a pane is clean"
        told = "paused: too many events break the schema"
        return Part(part="learning", state="bad", detail=told, advice=advice)
    return Part(part="learning", state="ok", detail="goes on", advice=None)
