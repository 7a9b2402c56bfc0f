"""``POST /explain`` over HTTP."""

from __future__ import annotations

import threading
import time

import pytest

from serve.api.explain_shapes import ExplainAnswer

EXPLAIN = "/v1/streams/flights/explain"
PREDICT = "/v1/streams/flights/predict"
SLOW = "ensemble.SRPClassifier(n_models=5)"


def test_a_scaler_and_logistic_regression_are_explained_exactly_and_leave_no_trace(world):
    event = world.event(c="text")
    event.pop("c")
    with world.api() as client:
        said = client.post(PREDICT, json={"event": event, "record": False}).json()
        answer = client.post(EXPLAIN, json={"event": event})
        again = client.post(PREDICT, json={"event": event, "record": False}).json()
    assert answer.status_code == 200
    shape = ExplainAnswer.model_validate(answer.json(), strict=True)
    assert (shape.method, shape.space, shape.of_class) == ("linear", "log_odds", "true")
    assert [one.feature for one in shape.contributions] == ["x", "z"]
    assert shape.contributions[0].value == event["x"]
    assert shape.gap < 1e-9
    for name in ("event_id", "prediction", "probabilities", "model_version", "learned_offset"):
        assert getattr(shape, name) == said[name]
    assert again["probabilities"] == said["probabilities"]
    model = world.worker.line.learner.model["LogisticRegression"]
    assert shape.base_value == model.intercept
    assert len(world.records()) == 20


def test_neither_id_nor_time_is_needed(world):
    with world.api() as client:
        answer = client.post(EXPLAIN, json={"event": {"x": 1.0}})
    assert (answer.status_code, answer.json()["event_id"]) == (200, None)


@pytest.mark.parametrize(
    ("model", "label", "method"),
    [
        ({"task": "multiclass", "pipeline": "naive_bayes.GaussianNB()"}, "red", "sampling"),
        ({"task": "regression", "pipeline": "linear_model.LinearRegression()"}, 3.5, "linear"),
        ({"task": "anomaly", "pipeline": "anomaly.HalfSpaceTrees(n_trees=3)"}, None, "sampling"),
        ({"pipeline": "forest.ARFClassifier(n_models=3)"}, True, "tree"),
    ],
)
def test_every_task_is_explained(make_world, model, label, method):
    world = make_world(model=model)
    labelled = {} if label is None else {"late": label}
    world.append(*(world.event(**labelled) for _ in range(40)))
    world.work()
    with world.api() as client:
        answer = client.post(EXPLAIN, json={"event": world.event()})
    shape = ExplainAnswer.model_validate(answer.json(), strict=True)
    assert shape.method == method
    assert shape.gap < 1e-9
    assert (shape.background is not None) == (method == "sampling")


def test_a_model_without_an_answer_and_an_unknown_class_say_so(make_world):
    world = make_world(model={"task": "multiclass", "pipeline": "naive_bayes.GaussianNB()"})
    world.append(world.event())
    world.work()
    with world.api() as client:
        silent = client.post(EXPLAIN, json={"event": {"x": 1.0}})
    assert silent.status_code == 422
    assert silent.json()["type"] == "urn:riverrun:problem:not_explained"
    assert "nothing to say" in silent.json()["detail"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body"),
        ({"event": []}, "event"),
        ({"event": {"x": [1]}}, "event.x"),
        ({"event": {}, "method": "guess"}, "method"),
        ({"event": {}, "of_class": 1}, "of_class"),
        ({"event": {"x": "text"}}, "event"),
        ({"event": {}, "of_class": "maybe"}, "event"),
        ({"event": {}, "record": True}, "body"),
    ],
)
def test_what_cannot_be_read_is_a_problem_with_its_field(world, body, field):
    with world.api() as client:
        answer = client.post(EXPLAIN, json=body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_a_long_explanation_keeps_its_limit_and_nobody_else_waiting(make_world):
    world = make_world(model={"pipeline": SLOW}, api={"explain_ms": 600})
    world.learn(60)
    with world.api() as client:
        answers = []
        thread = threading.Thread(
            target=lambda: answers.append(
                client.post(EXPLAIN, json={"event": {"x": 1.0, "z": 0.0}}, timeout=30)
            )
        )
        started = time.monotonic()
        thread.start()
        longest = 0.0
        while thread.is_alive():
            before = time.monotonic()
            client.get("/healthz")
            longest = max(longest, time.monotonic() - before)
        spent = time.monotonic() - started
    assert answers[0].status_code == 200, answers[0].text
    assert answers[0].json()["seconds"] < 1.2
    assert spent < 5
    assert longest < 0.4


def test_too_many_explanations_at_once_are_told_to_come_again(make_world):
    world = make_world(model={"pipeline": SLOW}, api={"explain_ms": 200})
    world.learn(30)
    with world.api() as client:
        statuses = []
        threads = [
            threading.Thread(
                target=lambda: statuses.append(
                    client.post(EXPLAIN, json={"event": {"x": 1.0}}, timeout=60).status_code
                )
            )
            for _ in range(22)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert set(statuses) == {200, 503}


def test_before_the_first_checkpoint_there_is_no_model_to_explain(make_world):
    with make_world().api() as client:
        answer = client.post(EXPLAIN, json={"event": {"x": 1.0}})
    assert answer.status_code == 503
