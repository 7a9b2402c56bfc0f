"""A divided stream on Apache Kafka and PostgreSQL: several APIs answer for shards of a crew."""

from __future__ import annotations

import uuid

import pytest

from serve.api.served_stream import ServedStream
from serve.compose import Secrets
from serve.crew import opened_crew
from stream.clock import SystemClock
from stream.logs.kafka_log import KafkaLog
from stream.storage.store import Store
from stream.tracing import Untraced

SHARDS = 3


@pytest.fixture
def divided(make_world, kafka_broker, postgres):
    """Return a world whose stream is divided, on the real thing."""
    name = f"s{uuid.uuid4().hex[:8]}"
    return make_world(
        log=KafkaLog(kafka_broker.url),
        stream={
            "name": name,
            "broker": kafka_broker.url,
            "store": postgres.url(name),
            "shards": "partition",
        },
        topics={"partitions": SHARDS},
        retrain={"enabled": False},
    )


def learn(world) -> None:
    """Let a crew learn all that is on the log."""
    with opened_crew(world.config, Secrets(), "here", Untraced, until_caught_up=True) as opened:
        opened.crew.run(lambda: False, opened.is_read)


def another(world) -> ServedStream:
    """Return what another API process would have: connections of its own."""
    store = Store(world.config.stream.store, world.config.stream.name)
    log = KafkaLog(world.config.stream.broker)
    return ServedStream(world.config, log, store, SystemClock(), poll_seconds=0.05)


def test_what_one_api_takes_another_answers_from_and_the_shard_scores(divided, wait):
    base = f"/v1/streams/{divided.config.stream.name}"
    other = another(divided)
    with divided.api() as one, divided.api(other) as two:
        events = [divided.event() for _ in range(60)]
        assert one.post(f"{base}/events", json=events).status_code == 202
        labels = [{"id": event["id"], "late": event["x"] > 0} for event in events]
        accepted = two.post(f"{base}/labels", json=labels).json()
        learn(divided)
        for client in (one, two):
            wait(lambda client=client: client.get("/readyz").status_code == 200, 60)
        asked = {"event": divided.event(), "min_offset": accepted["min_offset"]}
        first = one.post(f"{base}/predict", json=asked | {"record": False}).json()
        second = two.post(f"{base}/predict", json=asked).json()
        assert first["probabilities"] == second["probabilities"]
        assert first["shards"] == second["shards"]
        wait(lambda: two.get(base).json()["serving"]["recorded"] == 1, 60)
        learn(divided)
        wait(lambda: one.get(base).json()["status"]["counts"]["served"] == 1, 60)
        shards = one.get(base).json()["status"]["shards"]
    scored = [shard["shard"] for shard in shards if shard["counts"]["served"]]
    assert scored == [second["shards"][0]["shard"]], (
        "the shard that answered is the one that scores"
    )
    assert all(shard["counts"]["learned"] for shard in shards)
    other.log.close()
    other.history.store.close()
