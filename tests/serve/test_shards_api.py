"""The API of a divided stream: what its shards add up to, and an honest answer to predictions."""

from __future__ import annotations

import pytest

from serve.compose import Secrets
from serve.crew import opened_crew
from stream.tracing import Untraced

SECTIONS = {
    "stream": {"shards": "partition"},
    "topics": {"partitions": 3},
    "retrain": {"enabled": False},
}


@pytest.fixture
def divided(make_world):
    """A stream of three shards, each of which has learned something."""
    world = make_world(**SECTIONS)
    with world.api() as client:
        for _ in range(3):
            events = [world.event() for _ in range(20)]
            assert client.post("/v1/streams/flights/events", json=events).status_code == 202
            labels = [{"id": event["id"], "late": event["x"] > 0} for event in events]
            assert client.post("/v1/streams/flights/labels", json=labels).status_code == 202
    with opened_crew(world.config, Secrets(), "here", Untraced, until_caught_up=True) as opened:
        opened.crew.run(lambda: False, opened.is_read)
    return world


def test_the_status_is_the_sum_of_the_shards_and_names_each(divided, wait):
    with divided.api() as client:
        wait(lambda: client.get("/v1/streams/flights").json()["status"])
        found = client.get("/v1/streams/flights").json()["status"]
    assert found["counts"]["events"] == found["counts"]["learned"] == found["scored"] == 60
    assert found["labels"]["matched"] == 60
    assert found["labels"]["orphaned"] == 0, "what the API appends goes to its event's shard"
    shards = found["shards"]
    assert [shard["shard"] for shard in shards] == ["0-of-3", "1-of-3", "2-of-3"]
    assert all(shard["counts"]["learned"] for shard in shards)
    assert sum(shard["counts"]["events"] for shard in shards) == 60
    assert len({shard["state_digest"] for shard in shards}) == 3
    assert len(found["offsets"]) == 6


def test_the_metrics_are_the_sums(divided, wait):
    with divided.api() as client:
        wait(lambda: client.get("/v1/streams/flights").json()["status"])
        shards = client.get("/v1/streams/flights").json()["status"]["shards"]
        wait(lambda: "riverrun_shard_lag_records{" in client.get("/metrics").text)
        text = client.get("/metrics").text
    assert 'riverrun_learned_total{stream="flights"} 60.0' in text
    assert 'riverrun_lag_records{stream="flights",topic="flights.events"} 0.0' in text
    assert 'riverrun_checkpoint_age_seconds{stream="flights"}' in text
    assert 'riverrun_shards{stream="flights"} 3.0' in text
    assert 'riverrun_shard_workers{stream="flights"} 1.0' in text
    for shard in shards:
        of = f'{{shard="{shard["shard"]}",stream="flights"}}'
        assert f"riverrun_shard_learned_total{of} {shard['counts']['learned']}.0" in text
        assert f"riverrun_shard_lag_records{of} 0.0" in text
        assert f"riverrun_shard_claims_total{of} 1.0" in text
        assert f"riverrun_shard_checkpoint_age_seconds{of}" in text
        assert shard["worker"]["memory_bytes"] > 0


def test_predictions_are_refused_with_a_reason(divided):
    with divided.api() as client:
        answer = client.post("/v1/streams/flights/predict", json={"event": divided.event()})
        assert answer.status_code == 409
        assert answer.json()["type"].endswith("divided_stream")
        assert client.get("/readyz").status_code == 200
