"""Versions, runs and requests over HTTP; a promotion fails no request."""

from __future__ import annotations

import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from river import linear_model

from stream.learner import Learner
from stream.lifecycle.lifecycle import Adopted
from stream.lifecycle.live import adopt, request
from stream.lifecycle.run import Request

PREDICT = "/v1/streams/flights/predict"
STREAM = "/v1/streams/flights"


@pytest.fixture(autouse=True)
def _people_are_heard_at_once(monkeypatch):
    monkeypatch.setattr("stream.people._LOOK_SECONDS", 0.0)
    monkeypatch.setattr("stream.worker._POLL_SECONDS", 0.01)


def bring(world, reason="from the lab"):
    """Let the worker take a model in; return its version."""
    model = pickle.dumps(Learner(linear_model.LogisticRegression(), "binary"), 5)
    key = world.store.runs.ask("import", {"reason": reason}, "ops", 0.0, (model, None))
    world.work()
    return world.store.runs.answer(key).split()[0]


def reason(text="a test"):
    return {"reason": text}


def test_versions_are_listed_newest_first_and_paged(world):
    versions = [bring(world) for _ in range(3)]
    assert versions == ["v2", "v3", "v4"]
    with world.api() as client:
        found = client.get(f"{STREAM}/models").json()
        assert [one["version"] for one in found["models"]] == ["v4", "v3", "v2", "v1"]
        assert [one["state"] for one in found["models"]] == ["kept", "kept", "kept", "serving"]
        assert (found["serving"], found["next"]) == ("v1", None)
        first = client.get(f"{STREAM}/models", params={"limit": 3}).json()
        rest = client.get(f"{STREAM}/models", params={"cursor": first["next"]}).json()
        assert [one["version"] for one in rest["models"]] == ["v1"]
        assert client.get(f"{STREAM}/models", params={"cursor": "nonsense!"}).status_code == 422


def test_a_version_says_why_it_is_there(world):
    bring(world)
    with world.api() as client:
        first = client.get(f"{STREAM}/models/v1").json()
        brought = client.get(f"{STREAM}/models/v2").json()
        missing = client.get(f"{STREAM}/models/v9")
    assert first["why"].startswith("It is the first of the stream")
    assert first["pipeline"] == world.config.model.pipeline
    assert first["libraries"]["river"]
    assert (brought["trigger"], brought["by"]) == ("import", "ops")
    assert brought["history"][0]["sentence"] == "ops imported v2: from the lab"
    assert missing.status_code == 404
    assert missing.json()["known"] == ["v1", "v2"]
    assert missing.json()["type"].endswith("unknown_version")


def test_a_promotion_is_asked_for_carried_out_and_answered(world):
    bring(world)
    with world.api() as client:
        asked = client.post(
            f"{STREAM}/models/v2/promote",
            json=reason("it is better"),
            headers={"X-Requested-By": "ops@example.org"},
        )
        assert asked.status_code == 202
        body = asked.json()
        assert asked.headers["location"] == body["url"]
        assert (body["state"], body["outcome"], body["by"]) == ("waiting", None, "ops@example.org")
        assert client.get(body["url"]).json()["state"] == "waiting"
        world.learn(5)
        done = client.get(body["url"]).json()
        assert (done["state"], done["outcome"]) == ("done", "v2 serves")
        found = client.get(f"{STREAM}/models/v2").json()
        assert found["state"] == "probation"
        (run,) = client.get(f"{STREAM}/retrains").json()["retrains"]
        assert (run["state"], run["is_under_way"], run["trigger"]) == ("probation", True, "person")
        assert run["reason"] == "it is better"
        assert run["shadows"][0]["role"] == "former"
        back = client.post(f"{STREAM}/rollback", json=reason())
        assert back.status_code == 202
        world.learn(5)
        assert client.get(back.json()["url"]).json()["outcome"] == "v1 serves"


def test_what_cannot_be_is_told_at_once(world):
    bring(world)
    with world.api() as client:
        for path, kind in (
            (f"{STREAM}/models/v1/promote", "not_promotable"),
            (f"{STREAM}/rollback", "nothing_before"),
        ):
            found = client.post(path, json=reason())
            assert found.status_code == 409
            assert found.json()["type"] == f"urn:riverrun:problem:{kind}"
        assert client.post(f"{STREAM}/models/v7/promote", json=reason()).status_code == 404
        assert client.post(f"{STREAM}/retrains/5/cancel", json=reason()).status_code == 404
        assert client.get(f"{STREAM}/retrains/5").status_code == 404
        assert client.get(f"{STREAM}/requests/5").status_code == 404
        assert client.post("/v1/streams/nope/rollback", json=reason()).status_code == 404
    assert world.store.runs.asked() == []


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"{}", 422),
        (b'{"reason": ""}', 422),
        (b'{"reason": "  "}', 422),
        (b'{"reason": 5}', 422),
        (b'{"reason": "x", "force": true}', 422),
        (b'{"reason": "' + b"x" * 2_001 + b'"}', 422),
        (b'{"reason": "' + b"x" * 20_000 + b'"}', 413),
        (b"reason", 400),
    ],
)
def test_a_reason_is_needed(world, content, status):
    with world.api() as client:
        found = client.post(f"{STREAM}/retrains", content=content)
        assert found.status_code == status
        assert found.headers["content-type"] == "application/problem+json"
    assert world.store.runs.asked() == []


def test_requests_that_no_worker_answers_are_bounded(world, monkeypatch):
    monkeypatch.setattr("serve.api.lifecycle.asking._WAITING_MAX", 2)
    with world.api() as client:
        said = [client.post(f"{STREAM}/retrains", json=reason()).status_code for _ in range(3)]
    assert said == [202, 202, 503]


def test_a_stream_that_keeps_no_versions_says_so(make_world):
    world = make_world(retrain={"enabled": False})
    world.learn()
    with world.api() as client:
        found = client.post(f"{STREAM}/retrains", json=reason())
        assert found.status_code == 409
        assert "retrain.enabled" in found.json()["detail"]
        assert [m["version"] for m in client.get(f"{STREAM}/models").json()["models"]] == ["v1"]


def test_a_run_can_be_watched_and_called_off(world):
    line = world.worker.line
    with world.api() as client:
        asked = client.post(f"{STREAM}/retrains", json=reason("prices")).json()
        world.learn(5)
        assert client.get(asked["url"]).json()["outcome"] == "run 1 began"
        world.store.runs.begin_training(1, 1, 0.0)
        world.store.runs.tell_training(1, 1, "running", {"events": 7, "left": 3}, 0.0)
        found = client.get(f"{STREAM}/retrains/1").json()
        assert (found["state"], found["reason"], found["by"]) == ("training", "prices", "api")
        assert found["training"] == {"state": "running", "events": 7, "left": 3}
        learner = Learner(linear_model.LogisticRegression(), "binary")
        adopt(line, [Adopted("configured", "p", learner)], None, {})
        world.learn(5)
        found = client.get(f"{STREAM}/retrains/1").json()
        assert (found["state"], found["training"]) == ("shadow", None)
        assert found["shadows"][0]["name"] == "configured"
        called = client.post(f"{STREAM}/retrains/1/cancel", json=reason("no")).json()
        world.learn(5)
        assert client.get(called["url"]).json()["outcome"] == "run 1 was called off"
        assert client.get(f"{STREAM}/retrains/1").json()["state"] == "cancelled"
        again = client.post(f"{STREAM}/retrains/1/cancel", json=reason("no"))
        assert again.json()["type"].endswith("not_under_way")


def test_runs_are_paged(world):
    line = world.worker.line
    for number in range(5):
        request(line, Request("person", reason=f"number {number}", by="ops"))
        line.lifecycle.end("rejected", 0, "no")
    world.learn(5)
    with world.api() as client:
        first = client.get(f"{STREAM}/retrains", params={"limit": 2}).json()
        assert [run["run"] for run in first["retrains"]] == [5, 4]
        second = client.get(f"{STREAM}/retrains", params={"limit": 3, "cursor": first["next"]})
        assert [run["run"] for run in second.json()["retrains"]] == [3, 2, 1]
        assert second.json()["next"] is None


def test_metrics_begin_at_zero_and_follow_what_happens(make_world):
    world = make_world()
    with world.api() as client:
        before = client.get("/metrics").text
    for state in ("promoted", "rolled_back", "rejected"):
        line = f'riverrun_run_changes_total{{state="{state}",stream="flights"}} 0.0'
        assert line in before
    assert 'riverrun_promotions_total{stream="flights"} 0.0' in before
    assert 'riverrun_run_phase{phase="shadow",stream="flights"} 0.0' in before
    world.learn()
    bring(world)
    world.store.runs.ask("promote", {"version": "v2", "reason": "a test"}, "ops", 0.0)
    world.work()
    world.learn(10)
    with world.api() as client:
        after = client.get("/metrics").text
    assert 'riverrun_promotions_total{stream="flights"} 1.0' in after
    assert 'riverrun_run_changes_total{state="imported",stream="flights"} 1.0' in after
    assert 'riverrun_run_phase{phase="probation",stream="flights"} 1.0' in after
    assert 'riverrun_gate_labels{shadow="v1",stream="flights"} 10.0' in after


def test_no_request_fails_while_versions_are_promoted_and_put_back(world):
    bring(world)
    stream = world.served(poll_seconds=0.005)
    stop = threading.Event()
    wrong: list[str] = []
    seen: dict[str, int] = {}

    def ask(url: str) -> int:
        asked = 0
        with httpx.Client(base_url=url) as client:
            while not stop.is_set():
                answer = client.post(PREDICT, json={"event": {"x": 1.0}, "record": False})
                asked += 1
                if answer.status_code != 200:
                    wrong.append(answer.text)
                else:
                    version = answer.json()["model_version"]
                    seen[version] = seen.get(version, 0) + 1
        return asked

    with world.api(stream) as client, ThreadPoolExecutor(3) as pool:
        askers = [pool.submit(ask, str(client.base_url)) for _ in range(3)]
        for number in range(10):
            version = ("v2", "v1")[number % 2]
            path = f"{STREAM}/models/v2/promote" if number == 0 else f"{STREAM}/rollback"
            asked = client.post(path, json=reason())
            assert asked.status_code == 202, asked.text
            world.learn(5)
            assert client.get(asked.json()["url"]).json()["outcome"] == f"{version} serves"
            waited = threading.Event()
            for _ in range(400):
                if stream.models.live.version == version:
                    break
                waited.wait(0.005)
        stop.set()
        count = sum(asker.result() for asker in askers)
    assert wrong == []
    assert set(seen) == {"v1", "v2"}
    assert min(seen.values()) > 10
    assert count > 100
