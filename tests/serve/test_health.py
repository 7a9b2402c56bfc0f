"""What machines and people ask: alive, ready, metrics, status, the OpenAPI document."""

from __future__ import annotations

import re

import pytest

from serve.api.app import create_app
from serve.api.models import Ready, StreamList, StreamStatus
from stream.logs.memory_log import MemoryLog

METRIC = re.compile(r"^riverrun_[a-z_]+$")


def test_the_process_says_that_it_is_alive(world):
    with world.api() as client:
        assert client.get("/healthz").json() == {"status": "alive"}


def test_ready_means_store_model_and_log(world):
    with world.api() as client:
        answer = client.get("/readyz")
    assert answer.status_code == 200
    ready = Ready.model_validate(answer.json())
    assert ready.parts == {"flights": {"store": "ok", "model": "ok", "log": "ok"}}


def test_a_new_stream_is_ready_to_take_events(make_world):
    world = make_world()
    with world.api() as client:
        answer = client.get("/readyz")
        assert client.post("/v1/streams/flights/events", json=world.event()).status_code == 202
    assert answer.status_code == 200
    assert answer.json()["parts"]["flights"]["model"] == "none yet"


def test_a_log_without_the_topics_is_not_ready(world):
    log = MemoryLog(clock=lambda: 0)
    with world.api(world.served(log=log)) as client:
        answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert "flights.events" in answer.json()["parts"]["flights"]["log"]


def test_the_status_shows_the_newest_checkpoint_and_what_is_served(world):
    with world.api() as client:
        event = world.event()
        client.post("/v1/streams/flights/predict", json={"event": event, "record": False})
        answer = client.get("/v1/streams/flights")
        assert client.get("/v1/streams/flights/").status_code == 200
    status = StreamStatus.model_validate(answer.json())
    newest = world.store.newest()
    assert status.status == newest.status
    assert status.checkpoint.number == status.serving.checkpoint == newest.number
    assert 0 <= status.checkpoint.age_seconds < 60
    assert status.serving.predictions == 1
    assert status.serving.learned_offset == 20


def test_the_status_of_a_new_stream_is_empty_and_not_an_error(make_world):
    with make_world().api() as client:
        status = StreamStatus.model_validate(client.get("/v1/streams/flights").json())
        (listed,) = StreamList.model_validate(client.get("/v1/streams").json()).streams
    assert status.status is status.checkpoint is status.serving.checkpoint is None
    assert (listed.name, listed.model_version) == ("flights", None)


def test_several_streams_are_served_side_by_side(make_world):
    one, two = make_world(), make_world(stream={"name": "trains"})
    one.learn(10)
    two.learn(20)
    with one.api(one.served(), two.served()) as client:
        names = [stream["name"] for stream in client.get("/v1/streams").json()["streams"]]
        answers = [
            client.post(f"/v1/streams/{name}/predict", json={"event": one.event()}).json()
            for name in names
        ]
        metrics = client.get("/metrics").text
    assert names == ["flights", "trains"]
    assert [answer["learned_offset"] for answer in answers] == [10, 20]
    assert 'riverrun_learned_total{stream="trains"} 20.0' in metrics
    with pytest.raises(ValueError, match="same name"):
        create_app([one.served(), one.served()])


def test_metrics_are_there_with_zero_before_the_first_checkpoint(make_world):
    with make_world().api() as client:
        text = client.get("/metrics").text
    for name in ("events_read", "predicted", "learned", "dead_lettered", "served_predictions"):
        assert f'riverrun_{name}_total{{stream="flights"}} 0.0' in text
    assert 'riverrun_pending{stream="flights"} 0.0' in text
    for kind in ("matched", "early", "orphaned", "late", "duplicate", "conflicting"):
        assert f'riverrun_labels_total{{kind="{kind}",stream="flights"}} 0.0' in text
    assert "riverrun_checkpoint_age_seconds{" not in text


def test_metrics_tell_what_the_worker_committed_and_what_was_served(world):
    world.append({"id": "gone", "late": True}, topic=world.config.labels_topic)
    world.append({"x": "no id"})
    event = world.event()
    with world.api() as client:
        for _ in range(3):
            client.post("/v1/streams/flights/predict", json={"event": event, "record": False})
        client.get("/v1/streams/flights/nothing/here")
        world.work()
        world.served()
        text = client.get("/metrics").text
        while 'riverrun_dead_lettered_total{stream="flights"} 1.0' not in text:
            text = client.get("/metrics").text
    found = samples(text)
    assert found['riverrun_learned_total{stream="flights"}'] == 20
    assert found['riverrun_events_read_total{stream="flights"}'] == 22
    assert found['riverrun_labels_total{kind="orphaned",stream="flights"}'] == 0
    assert found['riverrun_served_predictions_total{stream="flights"}'] == 3
    assert found['riverrun_checkpoint_age_seconds{stream="flights"}'] >= 0
    assert found['riverrun_model_staleness_seconds{stream="flights"}'] >= 0
    scores = world.store.newest().status["scores"]
    for of in ("model", "no_change", "majority"):
        label = f'{{metric="ROCAUC",of="{of}",stream="flights",window="all"}}'
        assert found[f"riverrun_score{label}"] == scores[of]["ROCAUC"]
        assert f"riverrun_score{label.replace('all', 'rolling')}" in found
    route = 'method="POST",route="/v1/streams/{stream}/predict",status="200"'
    assert found[f"riverrun_http_requests_total{{{route}}}"] == 3
    assert found['riverrun_http_requests_total{method="GET",route="none",status="404"}'] == 1


def test_metric_names_follow_the_rule_and_two_applications_share_nothing(world):
    with world.api() as one, world.api() as two:
        one.get("/nope")
        assert 'status="404"' not in two.get("/metrics").text
        text = one.get("/metrics").text
    names = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    own = {name for name in names if not name.startswith("process_")}
    assert all(METRIC.match(name) for name in own)


def samples(text: str) -> dict[str, float]:
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}
