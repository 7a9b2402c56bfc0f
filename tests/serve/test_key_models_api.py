"""Predictions over HTTP where there are models per key: the key's answers, and says so."""

from __future__ import annotations

import json

import httpx
import pytest
from sqlalchemy import update

from stream.snapshot import restore
from stream.storage.connect import connect
from stream.storage.tables import key_models
from tests.lines import make_line
from tests.serve.conftest import World, eventually

SECTIONS = {
    "model": {"per": "who", "per_min_events": 2, "per_in_memory": 3},
    "retrain": {"enabled": False},
}


@pytest.fixture
def world(tmp_path):
    """Return a stream of six keys, three of which fit into memory; half of them say no to x > 0."""
    world = World(tmp_path, **SECTIONS)
    rows = []
    for number in range(240):
        row = world.event(who=f"k{number % 6}")
        rows.append(row | {"late": (row["x"] > 0) is (number % 2 == 0)})
    world.append(*rows)
    world.work()
    yield world
    world.close()


def ask(client: httpx.Client, who: object, **fields: object) -> dict:
    event = {"id": "new", "at": 1, "x": 2.0, "z": 1.5, "who": who} | fields
    answer = client.post("/v1/streams/flights/predict", json={"event": event, "record": False})
    assert answer.status_code == 200, answer.text
    found: dict = answer.json()
    return found


def expected(world: World, who: str) -> dict[bool, float]:
    line = make_line(world.config)
    restore(line, *world.store.load(world.store.newest()))
    line.learner.keys.load = world.store.key_models.load
    kept = line.learner.keys.get(who)
    assert kept is not None
    found: dict[bool, float] = kept.model.predict_proba_one({"x": 2.0, "z": 1.5})
    return found


def test_each_key_is_answered_by_its_own_model(world):
    with world.api() as client:
        for number in range(6):
            found = ask(client, f"k{number}")
            assert found["answered_by"] == "key"
            assert found["prediction"] is (number % 2 == 0)
            assert found["probabilities"]["true"] == expected(world, f"k{number}")[True]


@pytest.mark.parametrize("who", ["unheard of", None, "x" * 300, 1.5])
def test_the_parent_answers_for_keys_that_have_no_model(world, who):
    with world.api() as client:
        assert ask(client, who)["answered_by"] == "parent"


def test_batches_lines_and_tensors_know_the_keys(world):
    events = [{"id": f"b{n}", "at": 1, "x": 2.0, "z": 1.5, "who": f"k{n}"} for n in range(6)]
    with world.api() as client:
        root = "/v1/streams/flights/predict/batch"
        body = {"events": events, "record": False}
        batch = client.post(root, json=body).json()["results"]
        lines = client.post(
            root,
            params={"record": "false"},
            content="\n".join(map(json.dumps, events)),
            headers={"content-type": "application/x-ndjson"},
        ).text.splitlines()
        said = [one["prediction"] for one in batch]
        assert [json.loads(line)["prediction"]["probabilities"] for line in lines] == [
            one["probabilities"] for one in said
        ]
        assert [one["prediction"] for one in said] == [True, False] * 3
        assert {one["answered_by"] for one in said} == {"key"}


def test_a_key_that_learned_meanwhile_answers_as_it_is_now(world):
    with world.api() as client:
        before = ask(client, "k0")
        world.append(*(world.event(who="k0", x=2.0) | {"late": False} for _ in range(50)))
        world.work()
        wanted = expected(world, "k0")[True]
        eventually(lambda: ask(client, "k0")["probabilities"]["true"] == wanted)
        assert wanted < before["probabilities"]["true"]


def test_what_was_answered_is_what_the_worker_logs_and_counts(world):
    with world.api() as client:
        event = {"id": "asked", "at": 1, "x": 2.0, "z": 1.5, "who": "k1"}
        found = client.post("/v1/streams/flights/predict", json={"event": event}).json()
        assert found["recorded"]
        eventually(lambda: any(b'"asked"' in record.value for record in world.records()))
    before = world.store.newest().status["keys"]["answers"]["key"]
    status = world.work()
    row = json.loads(world.records(world.config.predictions_topic)[-1].value)
    assert (row["id"], row["source"], row["answered_by"]) == ("asked", "api", "key")
    assert status["keys"]["answers"]["key"] == before + 1


def test_an_explanation_is_of_the_model_that_answers(world):
    with world.api() as client:
        event = {"id": "a", "at": 1, "x": 2.0, "z": 1.5, "who": "k1"}
        found = client.post("/v1/streams/flights/explain", json={"event": event}).json()
        assert found["answered_by"] == "key"
        assert found["probabilities"]["true"] == expected(world, "k1")[True]
        assert {one["feature"] for one in found["contributions"]} == {"x", "z"}
        assert abs(found["gap"]) < 1e-9
        parent = client.post(
            "/v1/streams/flights/explain", json={"event": event | {"who": "new"}}
        ).json()
        assert parent["answered_by"] == "parent"
        assert parent["probabilities"] != found["probabilities"]


def test_the_parent_answers_where_a_model_is_damaged_and_it_is_counted(world):
    engine = connect(world.config.stream.store)
    with engine.begin() as connection:
        connection.execute(
            update(key_models).where(key_models.c.key == "k2").values(data=b"something else")
        )
    engine.dispose()
    served = world.served()
    with world.api(served) as client:
        assert ask(client, "k2")["answered_by"] == "parent"
        assert ask(client, "k3")["answered_by"] == "key"
        assert sum(one.failures for one in served.models.keys) > 0
        assert 'riverrun_served_key_failures_total{stream="flights"}' in client.get("/metrics").text


def test_memory_of_the_api_is_bounded(world):
    served = world.served()
    with world.api(served) as client:
        for number in range(60):
            ask(client, f"k{number % 6}")
            ask(client, f"nobody-{number}")
        assert sum(map(len, served.models.keys)) <= 3


def test_metrics_tell_of_keys(world):
    with world.api() as client:
        ask(client, "k1")
        text = client.get("/metrics").text
        status = client.get("/v1/streams/flights").json()["status"]["keys"]
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("riverrun_"))
    assert lines['riverrun_keys{stream="flights"}'] == "6.0"
    assert lines['riverrun_served_keys{stream="flights"}'] == "1.0"
    for model in ("key", "parent"):
        name = f'riverrun_key_answers_total{{model="{model}",stream="flights"}}'
        assert float(lines[name]) == status["answers"][model] > 0
    assert status["keys"] == 6
    assert status["spilled"] == 3
