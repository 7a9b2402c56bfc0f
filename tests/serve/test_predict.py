"""Predictions over HTTP, and what becomes of them on the topic and in the worker."""

from __future__ import annotations

import json

import msgspec
import pytest

from serve.api.models import BatchAnswer, Prediction
from stream.events import SERVED_HEADER

PREDICT = "/v1/streams/flights/predict"
BATCH = "/v1/streams/flights/predict/batch"


def test_an_answer_has_the_documented_shape_and_names_its_model(world):
    with world.api() as client:
        answer = client.post(PREDICT, json={"event": world.event()})
    newest = world.store.newest()
    assert answer.status_code == 200
    shape = Prediction.model_validate(answer.json(), strict=True)
    assert shape.event_id == "e21"
    assert shape.model_version == newest.version
    assert shape.learned_offset == newest.status["learned_offset"] == 20
    assert 0 <= shape.staleness_seconds < 60
    assert shape.recorded
    assert sum(shape.probabilities.values()) == pytest.approx(1)
    assert shape.prediction is (shape.probabilities["true"] > 0.5)


def test_the_api_answers_what_the_workers_model_says(world):
    event = world.event()
    features = {"x": event["x"], "z": event["z"]}
    with world.api() as client:
        answer = client.post(PREDICT, json={"event": event}).json()
    assert answer["probabilities"]["true"] == world.worker.line.learner.predict(features)


def test_an_event_first_seen_by_the_api_is_scored_and_learned_with_the_apis_prediction(world):
    world.learn(30)
    event = world.event()
    with world.api() as client:
        served = client.post(PREDICT, json={"event": event}).json()
        world.learn(50)  # the worker's own model moves on before it sees the label
        before = world.work()
        labelled = client.post("/v1/streams/flights/labels", json={"id": event["id"], "late": True})
    assert labelled.status_code == 202
    after = world.work()
    logged = [json.loads(r.value) for r in world.records(world.config.predictions_topic)]
    (row,) = [row for row in logged if row["id"] == event["id"]]
    for name in ("prediction", "probabilities", "model_version", "learned_offset"):
        assert row[name] == served[name]
    assert row["source"] == "api"
    assert before["counts"]["served"] == 1
    assert after["counts"]["learned"] == before["counts"]["learned"] + 1
    assert after["scored"] == before["scored"] + 1
    (pair,) = list(world.worker.line.scores._window)[-1:]
    assert pair[:2] == (True, served["probabilities"]["true"])


def test_the_event_is_appended_as_it_was_sent_with_its_id_as_key_and_what_was_served(world, wait):
    event = b'{ "late":true,\t"x":1.50, "id" : "caf\\u0065", "at":1700000000000, "other": null}'
    with world.api() as client:
        served = client.post(PREDICT, content=b'{"event":' + event + b"}").json()
        wait(lambda: len(world.records()) == 21)
    record = world.records()[-1]
    assert record.value == event
    assert record.key == b"cafe"
    header = json.loads(record.header(SERVED_HEADER))
    assert header["prediction"] == served["probabilities"]["true"]
    assert header["model_version"] == served["model_version"]
    assert header["learned_offset"] == served["learned_offset"]


def test_the_model_never_sees_the_label(world):
    event = world.event()
    with world.api() as client:
        asked = [
            client.post(PREDICT, json={"event": event | label, "record": False}).json()
            for label in ({}, {"late": True}, {"late": False})
        ]
    assert len({answer["probabilities"]["true"] for answer in asked}) == 1


def test_an_id_that_is_posted_twice_is_answered_the_same_recorded_and_learned_once(world):
    event = world.event(late=True)
    with world.api() as client:
        answers = [client.post(PREDICT, json={"event": event}) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert [answer.headers.get("idempotent-replayed") for answer in answers] == [None, "true"]
    counts = world.work()["counts"]
    assert (counts["learned"], counts["repeated"], counts["served"]) == (21, 0, 1)


def test_an_id_that_an_api_does_not_remember_is_learned_once_all_the_same(make_world):
    world = make_world(api={"remembered": 0})
    world.learn()
    event = world.event(late=True)
    with world.api() as client:
        for _ in range(2):
            assert client.post(PREDICT, json={"event": event}).json()["recorded"]
    counts = world.work()["counts"]
    assert (counts["learned"], counts["repeated"], counts["served"]) == (21, 1, 1)


def test_a_question_leaves_no_trace(world):
    event = world.event()
    with world.api() as client:
        answer = client.post(PREDICT, json={"event": event, "record": False}).json()
        batch = client.post(BATCH, json={"events": [event], "record": False}).json()
    assert answer["recorded"] is batch["results"][0]["prediction"]["recorded"] is False
    assert answer["event_id"] == event["id"]
    assert len(world.records()) == 20
    assert world.work()["counts"]["read"] == 20


@pytest.mark.parametrize("sent", [{}, {"id": None, "at": None}, {"id": None}, {"at": 1000}])
def test_a_question_needs_neither_id_nor_time(world, sent):
    with world.api() as client:
        answer = client.post(PREDICT, json={"event": {"x": 0.5} | sent, "record": False})
        with_both = {"x": 0.5, "id": "a", "at": 1000}
        same = client.post(PREDICT, json={"event": with_both, "record": False})
    assert answer.status_code == 200
    assert answer.json()["event_id"] is None
    assert answer.json()["probabilities"] == same.json()["probabilities"]


@pytest.mark.parametrize("types", [{"id": "int", "at": "str"}, {"id": "str", "at": "int"}])
def test_a_question_without_id_and_time_passes_declared_types(make_world, types):
    world = make_world(event={"types": types})
    world.append({"id": 1, "at": "2020-01-01T00:00:00Z", "x": 1.0, "late": True})
    world.append({"id": "1", "at": 1000, "x": 1.0, "late": True})
    world.work()
    with world.api() as client:
        for event in ({"x": 1.0}, {}):
            answer = client.post(PREDICT, json={"event": event, "record": False})
            assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("event", "field", "kind"),
    [
        ({"x": 1.0, "at": 5}, "event.id", "missing_id"),
        ({"id": None, "at": 5}, "event.id", "missing_id"),
        ({"id": 1.5, "at": 5}, "event.id", "wrong_id"),
        ({"id": "", "at": 5}, "event.id", "wrong_id"),
        ({"id": "a"}, "event.at", "wrong_time"),
        ({"id": "a", "at": "noon"}, "event.at", "wrong_time"),
        ({"id": "a", "at": 99_999_999_999_999}, "event.at", "future_time"),
        ({"id": "a", "at": 5, "late": "maybe"}, "event.late", "wrong_label"),
        ({"id": "a", "at": 5, "x": 1, "y": [1]}, "event.y", "wrong_type"),
        ({"id": "a", "at": 5, "y": {"deep": 1}}, "event.y", "wrong_type"),
        ([1, 2], "event", "wrong_type"),
        ("text", "event", "wrong_type"),
        (None, "event", "wrong_type"),
        ({"id": "a", "at": 5, "x": "text"}, "event", "model_error"),
        ({"id": "a", "at": 5, "x": 10**350}, "event", "model_error"),
    ],
)
def test_an_event_that_cannot_be_used_is_refused_with_its_field_and_not_appended(
    world, event, field, kind
):
    with world.api() as client:
        answer = client.post(PREDICT, json={"event": event})
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert problem["type"] == f"urn:riverrun:problem:{kind}"
        assert [error["field"] for error in problem["errors"]] == [field]
        assert field in problem["detail"]
    assert len(world.records()) == 20


def test_a_declared_type_names_the_field(make_world):
    world = make_world(event={"types": {"x": "float"}})
    world.learn()
    with world.api() as client:
        event = world.event(x="1.0")
        answer = client.post(PREDICT, json={"event": event, "record": False})
    assert answer.json()["errors"][0]["field"] == "event.x"


def test_without_a_configured_id_the_answer_tells_the_key_that_was_given(make_world, wait):
    world = make_world(event={"id": None})
    world.learn()
    with world.api() as client:
        recorded = client.post(PREDICT, json={"event": {"x": 1.0, "at": 5}}).json()
        asked = client.post(PREDICT, json={"event": {"x": 1.0}, "record": False}).json()
        wait(lambda: len(world.records()) == 21)
    assert asked["event_id"] is None
    assert world.records()[-1].key.decode() == recorded["event_id"]
    world.work()
    ids = [record.key.decode() for record in world.records(world.config.predictions_topic)]
    assert recorded["event_id"] in ids


def test_without_a_configured_time_none_is_needed(make_world):
    world = make_world(event={"time": None})
    world.learn()
    with world.api() as client:
        answer = client.post(PREDICT, json={"event": {"id": "a", "x": 1.0}})
    assert answer.status_code == 200


def test_before_the_first_checkpoint_it_says_what_is_missing(make_world, wait):
    world = make_world()
    with world.api() as client:
        answer = client.post(PREDICT, json={"event": world.event()})
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
        assert "riverrun worker" in answer.json()["detail"]
        assert client.post(BATCH, json={"events": []}).status_code == 503
        world.learn()
        wait(lambda: client.post(PREDICT, json={"event": world.event()}).status_code == 200)


def test_a_batch_answers_each_event_in_order_and_fails_only_the_bad_ones(world):
    events = [world.event(), {"x": 1.0}, world.event(late="?"), world.event()]
    with world.api() as client:
        answer = client.post(BATCH, json={"events": events})
    assert answer.status_code == 200
    batch = BatchAnswer.model_validate(answer.json())
    ids = [r.prediction.event_id if r.prediction else None for r in batch.results]
    assert ids == [events[0]["id"], None, None, events[3]["id"]]
    fields = [r.problem.errors[0].field for r in batch.results if r.problem]
    assert fields == ["events[1].id", "events[2].late"]
    assert batch.failed == 2
    assert world.work()["counts"]["served"] == 2


def test_a_batch_over_the_limit_is_refused(make_world):
    world = make_world(api={"max_batch": 2})
    world.learn()
    with world.api() as client:
        assert client.post(BATCH, json={"events": [world.event()] * 2}).status_code == 200
        answer = client.post(BATCH, json={"events": [world.event()] * 3})
    assert answer.status_code == 422
    assert "api.max_batch = 2" in answer.json()["detail"]


def test_a_long_batch_lets_other_requests_in_between(make_world, wait):
    world = make_world(model={"pipeline": "ensemble.SRPClassifier(n_models=3)"}, api={"queue": 1})
    world.learn(50)
    import threading
    import time

    with world.api() as client:
        done: list[float] = []

        def ask() -> None:
            events = [world.event() for _ in range(1000)]
            client.post(BATCH, json={"events": events, "record": False}, timeout=60)
            done.append(time.monotonic())

        thread = threading.Thread(target=ask)
        thread.start()
        longest = 0.0
        while not done:
            started = time.monotonic()
            client.get("/healthz")
            longest = max(longest, time.monotonic() - started)
        thread.join()
    assert longest < 0.5


def test_an_event_that_is_too_large_to_record_can_still_be_asked_about(make_world):
    world = make_world(event={"features": ("x",)}, api={"max_body_bytes": 2_000_000})
    world.learn()
    event = world.event(padding="p" * 1_048_470)
    with world.api() as client:
        recorded = client.post(PREDICT, json={"event": event})
        asked = client.post(PREDICT, json={"event": event, "record": False})
        over = world.event(padding="p" * 1_100_000)
        beyond = client.post(PREDICT, json={"event": over, "record": False})
    assert recorded.status_code == 413
    assert "record = false" in recorded.json()["detail"]
    assert asked.status_code == 200
    assert beyond.status_code == 413
    assert "event.max_bytes" in beyond.json()["detail"]


@pytest.mark.parametrize(
    ("model", "label", "with_probabilities"),
    [
        ({"task": "multiclass", "pipeline": "naive_bayes.GaussianNB()"}, "red", True),
        ({"task": "regression", "pipeline": "linear_model.LinearRegression()"}, 3.5, False),
        ({"task": "anomaly", "pipeline": "anomaly.HalfSpaceTrees(n_trees=3)"}, True, False),
    ],
)
def test_every_task_is_answered_and_scored_as_served(make_world, model, label, with_probabilities):
    world = make_world(model=model)
    world.append(*(world.event(late=label) for _ in range(5)))
    world.work()
    with world.api() as client:
        answer = client.post(PREDICT, json={"event": world.event(late=label)})
    shape = Prediction.model_validate(answer.json(), strict=True)
    assert (shape.probabilities is not None) == with_probabilities
    status = world.work()
    assert (status["counts"]["served"], status["counts"]["dead_lettered"]) == (1, 0)
    last = [json.loads(r.value) for r in world.records(world.config.predictions_topic)][-1]
    assert last["prediction"] == shape.prediction


def test_a_served_prediction_survives_its_header_to_the_last_bit(world, wait):
    with world.api() as client:
        served = [
            client.post(PREDICT, json={"event": world.event()}).json()["probabilities"]["true"]
            for _ in range(50)
        ]
        wait(lambda: len(world.records()) == 70)
    headers = [record.header(SERVED_HEADER) for record in world.records()[20:]]
    assert [msgspec.json.decode(header)["prediction"] for header in headers] == served
