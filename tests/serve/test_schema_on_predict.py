"""Asked events against the schema of the served checkpoint: refused, or predicted and flagged."""

from __future__ import annotations

import json

import pytest

from serve.api.models import Prediction

PREDICT = "/v1/streams/flights/predict"
SCHEMA = """
[features.x]
type = "float"
minimum = -100.0
maximum = 100.0

[features.z]
type = "float"
required = false
maximum = 9.0
bounds_inferred = true

[features.carrier]
type = "string"
required = false
domain = ["UA", "AA"]
"""


@pytest.fixture
def strict(make_world, tmp_path):
    """Return what makes a stream whose schema was given, by what becomes of an error."""

    def make(on_schema_error: str):
        file = tmp_path / "schema.toml"
        file.write_text(SCHEMA)
        world = make_world(
            monitor={"schema_file": str(file)}, api={"on_schema_error": on_schema_error}
        )
        world.learn()
        return world

    return make


ERRORS = [
    ({"x": "far"}, ("x", "wrong_type")),
    ({"x": None}, ("x", "missing_feature")),
    ({"x": 101.0}, ("x", "out_of_range")),
    ({"x": True}, ("x", "wrong_type")),
]
WARNINGS = [
    ({"z": 9.5}, ("z", "out_of_range")),
    ({"carrier": "XX"}, ("carrier", "out_of_domain")),
    ({"gate": 4}, ("gate", "unexpected_feature")),
]


@pytest.mark.parametrize("record", [True, False])
@pytest.mark.parametrize(("fields", "found"), ERRORS)
def test_an_event_in_error_is_refused_with_the_feature_and_the_kind(strict, fields, found, record):
    world = strict("refuse")
    with world.api() as client:
        sent = {"event": world.event(**fields), "record": record}
        answer = client.post(PREDICT, json=sent)
        batch = client.post(f"{PREDICT}/batch", json={"events": [sent["event"], world.event()]})
        metrics = client.get("/metrics").text
    assert answer.status_code == 422
    problem = answer.json()
    (error,) = problem["errors"]
    assert (error["field"], error["kind"]) == (f"event.{found[0]}", found[1])
    assert problem["type"] == f"urn:riverrun:problem:{found[1]}"
    assert found[0] in problem["detail"]
    refused, fine = batch.json()["results"]
    assert refused["problem"]["errors"][0]["field"] == f"events[0].{found[0]}"
    assert "prediction" in fine
    assert 'riverrun_refused_events_total{stream="flights"} 2.0' in metrics
    assert len(world.records()) == 21


@pytest.mark.parametrize(("fields", "found"), ERRORS)
def test_an_event_in_error_is_predicted_and_flagged_where_that_is_configured(strict, fields, found):
    world = strict("flag")
    with world.api() as client:
        answer = client.post(PREDICT, json={"event": world.event(**fields)})
    shape = Prediction.model_validate(answer.json(), strict=True)
    (flag,) = shape.flags
    assert (flag.feature, flag.kind, flag.severity) == (*found, "error")
    assert shape.prediction is not None
    # The worker judges by the same schema, so that it does not learn from the event.
    assert world.work()["dead_letter_reasons"] == {f"schema/{found[1]}": 1}


def test_what_no_model_can_use_is_left_out_of_a_flagged_prediction(strict):
    world = strict("flag")
    event = world.event(x="far")
    without = {name: value for name, value in event.items() if name != "x"}
    with world.api() as client:
        said = [
            client.post(PREDICT, json={"event": asked, "record": False}).json()["probabilities"]
            for asked in (event, without)
        ]
    assert said[0] == said[1]


@pytest.mark.parametrize("mode", ["refuse", "flag"])
@pytest.mark.parametrize(("fields", "found"), WARNINGS)
def test_a_warning_is_a_flag_whatever_is_configured(strict, fields, found, mode):
    world = strict(mode)
    with world.api() as client:
        answer = client.post(PREDICT, json={"event": world.event(**fields)})
        metrics = client.get("/metrics").text
    assert answer.status_code == 200
    (flag,) = answer.json()["flags"]
    assert (flag["feature"], flag["kind"], flag["severity"]) == (*found, "warning")
    assert "found" in flag["message"]
    assert 'riverrun_flagged_predictions_total{stream="flights"} 1.0' in metrics
    assert world.work()["counts"]["dead_lettered"] == 0


def test_before_there_is_a_schema_nothing_is_flagged(world):
    with world.api() as client:
        answer = client.post(PREDICT, json={"event": world.event(gate=4, x=1e9)})
    assert answer.json()["flags"] == []


def test_the_inferred_schema_is_served_once_the_warm_up_is_over(make_world):
    world = make_world(monitor={"warmup_events": 100, "pane_events": 50})
    world.learn(150)
    with world.api() as client:
        mistyped = client.post(PREDICT, json={"event": world.event(x="far")})
        unknown = client.post(PREDICT, json={"event": world.event(gate=4)})
    assert mistyped.status_code == 422
    assert mistyped.json()["errors"][0]["kind"] == "wrong_type"
    assert [flag["kind"] for flag in unknown.json()["flags"]] == ["unexpected_feature"]


def test_the_api_refuses_what_the_worker_would_not_use_and_nothing_else(make_world):
    world = make_world(monitor={"warmup_events": 100, "pane_events": 50})
    world.learn(150)
    odd = [{}, {"x": "far"}, {"x": None}, {"x": 1e300}, {"z": 2.0}, {"gate": 1}, {"z": True}]
    events = [world.event(**fields) for fields in odd]
    with world.api() as client:
        asked = [
            client.post(PREDICT, json={"event": event, "record": False}).status_code
            for event in events
        ]
    world.append(*events)
    world.work()
    letters = world.records(world.config.dead_letters_topic)
    unused = {json.loads(letter.value)["id"] for letter in letters}
    assert [event["id"] in unused for event in events] == [status == 422 for status in asked]


def test_the_number_of_features_is_limited(make_world):
    world = make_world(api={"max_features": 3})
    world.learn()
    with world.api() as client:
        event = world.event(more=1.0)
        assert client.post(PREDICT, json={"event": event}).status_code == 200
        for path, body in (
            (PREDICT, {"event": event | {"y": 1, "id": "b"}}),
            ("/v1/streams/flights/events", event | {"y": 1, "id": "b"}),
        ):
            answer = client.post(path, json=body)
            assert answer.status_code == 422
            assert "api.max_features = 3" in answer.json()["detail"]
            assert answer.json()["type"].endswith("too_many_features")
    assert len(world.records()) == 21
