"""Events and labels over HTTP."""

from __future__ import annotations

import json

import pytest

from serve.api.models import Accepted
from stream.errors import LogUnreachableError

EVENTS = "/v1/streams/flights/events"
LABELS = "/v1/streams/flights/labels"


def test_one_event_is_appended_as_it_was_sent_and_answered_with_its_place(world):
    body = b' {"id": 7,  "at": 1700000000000, "x": 1.50} '
    with world.api() as client:
        answer = client.post(EVENTS, content=body)
    assert answer.status_code == 202
    place = {"id": "7", "topic": "flights.events", "partition": 0, "offset": 20}
    assert Accepted.model_validate(answer.json()).model_dump() == {
        "accepted": [place],
        "min_offset": {"flights.events-0": 21},
    }
    record = world.records()[-1]
    assert (record.offset, record.key, record.value) == (20, b"7", body.strip())
    assert not record.headers


def test_a_list_is_appended_in_order(world):
    events = [world.event() for _ in range(3)]
    with world.api() as client:
        answer = client.post(EVENTS, json=events).json()
        assert client.post(EVENTS, json=[]).json() == {"accepted": [], "min_offset": {}}
    assert [place["offset"] for place in answer["accepted"]] == [20, 21, 22]
    assert [json.loads(record.value) for record in world.records()[20:]] == events


def test_a_label_reaches_its_prediction(world):
    event = world.event()
    with world.api() as client:
        client.post(EVENTS, json=event)
        answer = client.post(LABELS, json=[{"id": event["id"], "late": True}])
    assert answer.status_code == 202
    assert answer.json()["accepted"][0]["topic"] == "flights.labels"
    status = world.work()
    assert (status["counts"]["learned"], status["counts"]["pending"]) == (21, 0)


def test_the_worker_refuses_nothing_that_the_api_took(make_world):
    world = make_world(event={"types": {"x": "float"}})
    world.learn()
    bodies = [
        {"id": 1, "at": 1, "x": 1},
        {"id": "b", "at": "2020-01-01", "x": None},
        {"id": "c"},
        {"id": "d", "at": 1, "x": "1"},
        {"id": "e", "at": 1, "late": "2"},
        {"id": "f", "at": 1, "late": 10**400},
    ]
    with world.api() as client:
        statuses = [client.post(EVENTS, json=body).status_code for body in bodies]
    assert statuses == [202, 202, 422, 422, 422, 422]
    assert world.work()["counts"]["dead_lettered"] == 0


@pytest.mark.parametrize(
    ("model", "label", "status"),
    [
        ({"task": "regression", "pipeline": "linear_model.LinearRegression()"}, 10**400, 422),
        ({"task": "regression", "pipeline": "linear_model.LinearRegression()"}, 10**30, 202),
        ({"task": "multiclass", "pipeline": "naive_bayes.GaussianNB()"}, 10**30, 422),
        ({"task": "multiclass", "pipeline": "naive_bayes.GaussianNB()"}, 2**63 - 1, 202),
    ],
)
def test_a_label_that_no_checkpoint_could_hold_is_refused(make_world, model, label, status):
    world = make_world(model=model)
    with world.api() as client:
        assert client.post(EVENTS, json=world.event(late=label)).status_code == status
        assert client.post(LABELS, json={"id": "early", "late": label}).status_code == status
    world.append(world.event(late=label))
    assert world.work()["counts"]["dead_lettered"] == (status == 422)


def test_a_list_with_one_mistake_is_refused_whole_and_every_field_is_named(world):
    with world.api() as client:
        answer = client.post(EVENTS, json=[world.event(), {"at": 1}, world.event(at="?")])
        labels = client.post(LABELS, json=[{"id": "e1", "late": True}, {"id": "e1"}])
        single = client.post(LABELS, json={"late": True})
    assert [answer.status_code, labels.status_code, single.status_code] == [422, 422, 422]
    assert [error["field"] for error in answer.json()["errors"]] == ["[1].id", "[2].at"]
    assert "nothing was appended" in answer.json()["detail"]
    assert [error["field"] for error in labels.json()["errors"]] == ["[1].late"]
    assert [error["field"] for error in single.json()["errors"]] == ["id"]
    assert len(world.records()) == 20
    assert not world.records(world.config.labels_topic)


def test_without_a_configured_id_the_place_is_the_id(make_world):
    world = make_world(event={"id": None})
    with world.api() as client:
        answer = client.post(EVENTS, json={"at": 1, "x": 1.0}).json()
        assert answer["accepted"][0]["id"] == "flights.events-0-0"
        refused = client.post(LABELS, json={"late": True})
    world.work()
    logged = world.records(world.config.predictions_topic)
    assert [record.key for record in logged] == [b"flights.events-0-0"]
    assert refused.status_code == 409
    assert "event.id" in refused.json()["detail"]


def test_more_than_a_batch_at_once_is_refused(make_world):
    world = make_world(api={"max_batch": 2})
    with world.api() as client:
        answer = client.post(EVENTS, json=[world.event()] * 3)
    assert answer.status_code == 422
    assert "api.max_batch" in answer.json()["detail"]


def test_a_log_that_fails_is_a_503_that_says_so_and_the_next_request_works(world, monkeypatch):
    stream = world.served()
    append = stream._sink.append

    def fail(records):
        raise LogUnreachableError("event log log.db: the disk is full")

    with world.api(stream) as client:
        monkeypatch.setattr(stream._sink, "append", fail)
        answer = client.post(EVENTS, json=world.event())
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
        assert "the disk is full" in answer.json()["detail"]
        monkeypatch.setattr(stream._sink, "append", append)
        assert client.post(EVENTS, json=world.event()).status_code == 202


@pytest.mark.parametrize("path", [EVENTS, LABELS])
def test_a_record_over_the_logs_limit_is_refused(make_world, path):
    world = make_world(api={"max_body_bytes": 3_000_000}, event={"max_bytes": 3_000_000})
    with world.api() as client:
        big = {"id": "a", "at": 1, "late": True, "padding": "p" * 1_100_000}
        answer = client.post(path, json=big)
    assert answer.status_code == 413
