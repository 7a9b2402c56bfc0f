"""The API of a divided stream: what its shards add up to, and which of them answers."""

from __future__ import annotations

import msgspec
import pytest
from sqlalchemy import delete

from serve.compose import Secrets
from serve.crew import opened_crew
from stream.build import line_factory
from stream.logs.partitioner import partition_of_key
from stream.sharding.names import shard_name
from stream.snapshot import restore
from stream.storage.tables import checkpoints
from stream.tracing import Untraced

SECTIONS = {
    "stream": {"shards": "partition"},
    "topics": {"partitions": 3},
    "retrain": {"enabled": False},
}


STREAM = "/v1/streams/flights"


def taught(world):
    """Append labelled events to all partitions of a stream."""
    with world.api() as client:
        for _ in range(3):
            events = [world.event() for _ in range(20)]
            assert client.post(f"{STREAM}/events", json=events).status_code == 202
            labels = [{"id": event["id"], "late": event["x"] > 0} for event in events]
            assert client.post(f"{STREAM}/labels", json=labels).status_code == 202


@pytest.fixture
def learn():
    """Return what lets a crew learn all that is on the log."""

    def run(world) -> None:
        with opened_crew(world.config, Secrets(), "here", Untraced, until_caught_up=True) as opened:
            opened.crew.run(lambda: False, opened.is_read)

    return run


@pytest.fixture
def divided(make_world, learn):
    """A stream of three shards, each of which has learned something."""
    world = make_world(**SECTIONS)
    taught(world)
    learn(world)
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


def test_a_prediction_is_the_one_of_the_shard_that_the_key_hashes_to(divided, wait):
    with divided.api() as client:
        wait(lambda: client.get("/readyz").status_code == 200)
        for _ in range(12):
            event = divided.event()
            shard = shard_name(partition_of_key(event["id"].encode(), 3), 3)
            stored = divided.store.of_shard(shard)
            line = line_factory(divided.config)("v1")
            restore(line, *stored.load(stored.newest()))
            answer = client.post(f"{STREAM}/predict", json={"event": event, "record": False}).json()
            said = line.learner.predict({"x": event["x"], "z": event["z"]})
            assert answer["probabilities"]["true"] == pytest.approx(said, abs=1e-12)
            voice = {"shard": shard, "model_version": "v1", "learned_offset": line.learned_offset}
            assert answer["shards"] == [voice]
            assert answer["learned_offset"] == line.learned_offset


def test_a_batch_goes_to_all_shards_and_each_answer_says_which(divided, wait):
    with divided.api() as client:
        wait(lambda: client.get("/readyz").status_code == 200)
        body = {"events": [divided.event() for _ in range(30)], "record": False}
        results = client.post(f"{STREAM}/predict/batch", json=body).json()["results"]
        said = {one["prediction"]["shards"][0]["shard"] for one in results}
        assert said == {"0-of-3", "1-of-3", "2-of-3"}
        lines = "\n".join(msgspec.json.encode(event).decode() for event in body["events"])
        headers = {"Content-Type": "application/x-ndjson"}
        told = client.post(
            f"{STREAM}/predict/batch?record=false", content=lines, headers=headers
        ).text.splitlines()
        again = [msgspec.json.decode(line)["prediction"] for line in told]
        assert [one["probabilities"] for one in again] == [
            one["prediction"]["probabilities"] for one in results
        ]


def test_the_shard_of_an_event_scores_the_prediction_that_was_served(divided, wait, learn):
    with divided.api() as client:
        wait(lambda: client.get("/readyz").status_code == 200)
        events = [divided.event() for _ in range(9)]
        for event in events:
            answer = client.post(f"{STREAM}/predict", json={"event": event}).json()
            assert answer["recorded"]
        wait(lambda: client.get(STREAM).json()["serving"]["recorded"] == 9)
        learn(divided)
        wait(lambda: _learned(client)["events"] == 69)
        assert _learned(client)["served"] == 9
        wait(lambda: client.get(f"{STREAM}/predictions/{events[0]['id']}").status_code == 200)
        shown = client.get(f"{STREAM}/predictions/{events[0]['id']}").json()
        assert shown["source"] == "api"
        listed = client.get(f"{STREAM}/predictions?limit=100").json()
        assert listed["made"] == listed["kept"] == 69
        assert len({one["id"] for one in listed["predictions"]}) == 69
        pages, cursor = [], ""
        while cursor is not None:
            page = client.get(f"{STREAM}/predictions?limit=10{cursor}").json()
            pages += [one["id"] for one in page["predictions"]]
            cursor = page["next"] and f"&cursor={page['next']}"
        assert pages == [one["id"] for one in listed["predictions"]]


def _learned(client) -> dict:
    return client.get(STREAM).json()["status"]["counts"]


def test_min_offset_waits_for_the_shard_of_a_partition(divided, wait, learn):
    with divided.api() as client:
        wait(lambda: client.get("/readyz").status_code == 200)
        event = divided.event()
        appended = client.post(f"{STREAM}/events", json=[event]).json()
        body = {"event": event, "record": False, "min_offset": appended["min_offset"]}
        late = client.post(f"{STREAM}/predict", json=body | {"min_offset": {"flights.events-0": 9}})
        assert late.status_code == 200
        learn(divided)
        answer = client.post(f"{STREAM}/predict", json=body)
        assert answer.status_code == 200
        (place, offset), *_ = appended["min_offset"].items()
        number = int(place.rpartition("-")[2])
        assert answer.json()["shards"][0]["shard"] == f"{number}-of-3"
        unread = {place: offset + 1_000}
        assert (
            client.post(f"{STREAM}/predict", json=body | {"min_offset": unread}).status_code == 409
        )


def test_an_explanation_is_of_the_shard_that_answers(divided, wait):
    with divided.api() as client:
        wait(lambda: client.get("/readyz").status_code == 200)
        for _ in range(6):
            event = divided.event()
            said = client.post(f"{STREAM}/predict", json={"event": event, "record": False}).json()
            found = client.post(f"{STREAM}/explain", json={"event": event}).json()
            assert found["probabilities"] == said["probabilities"]
            assert found["learned_offset"] == said["learned_offset"]
            assert {one["feature"] for one in found["contributions"]} == {"x", "z"}


def test_a_key_that_is_not_the_id_finds_its_shard(divided, wait):
    with divided.api() as client:
        wait(lambda: client.get("/readyz").status_code == 200)
        body = {"event": divided.event(), "record": False}
        for key in ("customer-1", "customer-2", "customer-3", "ä"):
            shard = shard_name(partition_of_key(key.encode(), 3), 3)
            answer = client.post(f"{STREAM}/predict", json=body | {"key": key}).json()
            assert [one["shard"] for one in answer["shards"]] == [shard]
            found = client.post(f"{STREAM}/explain", json={"event": body["event"], "key": key})
            assert found.json()["probabilities"] == answer["probabilities"]
        refused = client.post(f"{STREAM}/predict", json=body | {"key": "k", "record": True})
        assert refused.status_code == 422
        assert "keyed by its id" in refused.json()["detail"]


def test_versions_are_listed(divided, wait):
    with divided.api() as client:
        wait(lambda: client.get("/readyz").status_code == 200)
        assert [one["version"] for one in client.get(f"{STREAM}/models").json()["models"]] == ["v1"]
        assert client.get(f"{STREAM}/models/v1").status_code == 200


def test_the_key_of_a_shard_without_a_model_is_a_503_that_names_it(divided, wait):
    with divided.store._engine.begin() as connection:
        connection.execute(delete(checkpoints).where(checkpoints.c.shard == "1-of-3"))
    with divided.api() as client:
        wait(lambda: client.get("/readyz").status_code == 200)
        event = divided.event(id="e4")
        while partition_of_key(event["id"].encode(), 3) != 1:
            event = divided.event()
        answer = client.post(f"{STREAM}/predict", json={"event": event})
        assert answer.status_code == 503
        assert "1-of-3, which has no model yet; 2 of 3" in answer.json()["detail"]
        assert client.post(f"{STREAM}/explain", json={"event": event}).status_code == 503


def test_several_apis_answer_the_same_without_a_worker(divided, wait):
    event = divided.event()
    body = {"event": event, "record": False}
    with divided.api() as one, divided.api(divided.served()) as other:
        for client in (one, other):
            wait(lambda client=client: client.get("/readyz").status_code == 200)
        first, second = (c.post(f"{STREAM}/predict", json=body).json() for c in (one, other))
    assert first["probabilities"] == second["probabilities"]
    assert first["shards"] == second["shards"]


def test_a_new_model_of_one_shard_is_put_in_place(divided, wait, learn):
    with divided.api() as client:
        wait(lambda: client.get("/readyz").status_code == 200)
        event = divided.event()
        number = partition_of_key(event["id"].encode(), 3)
        body = {"event": event, "record": False}
        before = client.post(f"{STREAM}/predict", json=body).json()
        same = [divided.event(id=event["id"] + "x")]
        while len(same) < 4:
            other = divided.event()
            if partition_of_key(other["id"].encode(), 3) == number:
                same.append(other)
        client.post(f"{STREAM}/events", json=[one | {"late": True} for one in same[1:]])
        learn(divided)
        wait(
            lambda: (
                client.post(f"{STREAM}/predict", json=body).json()["learned_offset"]
                > before["learned_offset"]
            )
        )
        after = client.post(f"{STREAM}/predict", json=body).json()
        assert after["probabilities"]["true"] > before["probabilities"]["true"]


def test_shards_that_vote_answer_together(make_world, wait, learn):
    world = make_world(**SECTIONS | {"model": {"share": "vote"}})
    taught(world)
    learn(world)
    with world.api() as client:
        wait(lambda: client.get("/readyz").status_code == 200)
        event = world.event()
        said = []
        for number in range(3):
            stored = world.store.of_shard(shard_name(number, 3))
            line = line_factory(world.config)("v1")
            restore(line, *stored.load(stored.newest()))
            said.append(line.learner.predict({"x": event["x"], "z": event["z"]}))
        answer = client.post(f"{STREAM}/predict", json={"event": event}).json()
        assert answer["probabilities"]["true"] == pytest.approx(sum(said) / 3, abs=1e-12)
        assert [one["shard"] for one in answer["shards"]] == ["0-of-3", "1-of-3", "2-of-3"]
        assert answer["silent_shards"] == 0
        found = client.post(f"{STREAM}/explain", json={"event": event}).json()
        assert found["probabilities"] == answer["probabilities"]
        assert found["method"] == "sampling"
    with world.store._engine.begin() as connection:
        connection.execute(delete(checkpoints).where(checkpoints.c.shard == "1-of-3"))
    with world.api(world.served()) as client:
        wait(lambda: client.get("/readyz").status_code == 200)
        answer = client.post(f"{STREAM}/predict", json={"event": world.event()}).json()
        assert [one["shard"] for one in answer["shards"]] == ["0-of-3", "2-of-3"]
        assert answer["silent_shards"] == 1


def test_an_undivided_stream_says_nothing_of_shards(world):
    world.learn(20)
    with world.api() as client:
        answer = client.post(f"{STREAM}/predict", json={"event": world.event()}).json()
    assert "shards" not in answer
    assert "silent_shards" not in answer
