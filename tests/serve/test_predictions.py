"""Looking at single predictions over HTTP: pages, filters, one with its event, and how far back."""

from __future__ import annotations

import pytest

from serve.api.recent.shapes import PredictionDetails, Predictions
from stream.recent import MAX_VALUE_BYTES
from stream.storage.precomputed import Scored

LIST = "/v1/streams/flights/predictions"


def ids(answer) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json()["predictions"]]


def test_predictions_come_newest_first_and_page_by_page(world):
    with world.api() as client:
        first = client.get(LIST, params={"limit": 15}).json()
        second = client.get(LIST, params={"limit": 15, "cursor": first["next"]}).json()
    shown = Predictions.model_validate(first)
    assert (shown.made, shown.kept, shown.keep, shown.matching) == (20, 20, 10_000, 20)
    assert [one["number"] for one in first["predictions"]] == list(range(20, 5, -1))
    assert [one["number"] for one in second["predictions"]] == [5, 4, 3, 2, 1]
    assert second["next"] is None
    assert shown.reaches_back_to.isoformat() == second["predictions"][-1]["predicted_at"].replace(
        "Z", "+00:00"
    )


def test_paging_goes_on_where_it_was_though_new_ones_came(world):
    with world.api() as client:
        first = client.get(LIST, params={"limit": 5}).json()
        world.learn(3)
        second = client.get(LIST, params={"limit": 5, "cursor": first["next"]}).json()
    assert [one["number"] for one in second["predictions"]] == [15, 14, 13, 12, 11]
    assert second["made"] == 23


def test_the_answer_says_how_far_back_it_reaches(make_world):
    world = make_world(predictions={"keep": 7})
    world.learn(30)
    with world.api() as client:
        answer = client.get(LIST).json()
        gone = client.get(f"{LIST}/e1")
    assert (answer["made"], answer["kept"], len(answer["predictions"])) == (30, 7, 7)
    assert gone.status_code == 404
    assert "predictions.keep = 7" in gone.json()["detail"]


def test_filters_take_what_they_say(world):
    event, other = world.event(), world.event()
    world.append(event, other)
    world.work()
    world.append({"id": event["id"], "late": event["x"] > 0}, topic=world.config.labels_topic)
    world.work()
    with world.api() as client:

        def asked(**params):
            return client.get(LIST, params={"limit": 1000} | params)

        every = asked().json()["predictions"]
        assert ids(asked(labelled=False)) == [other["id"]]
        assert len(ids(asked(labelled=True))) == 21
        wrong = [one["id"] for one in every if one["correct"] is False]
        assert ids(asked(wrong=True)) == wrong
        assert set(ids(asked(wrong=True))).isdisjoint(ids(asked(wrong=False)))
        assert len(ids(asked(wrong=True)) + ids(asked(wrong=False))) == 21
        least = sorted(one["loss"] for one in every if one["loss"] is not None)[10]
        lost = [one["id"] for one in every if (one["loss"] or 0) >= least]
        assert ids(asked(min_loss=least)) == lost
        assert 0 < len(lost) < 21
        assert ids(asked(version="v1", source="worker", limit=1)) == [other["id"]]
        assert ids(asked(version="v2")) == []
        assert ids(asked(source="api")) == []
        at = other["at"]
        assert ids(asked(**{"from": at})) == [
            one["id"] for one in (other, event) if one["at"] >= at
        ]
        assert other["id"] not in ids(asked(to=at))


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("cursor=nonsense", "cursor"),
        ("from=yesterday", "from"),
        ("min_loss=-1", "min_loss"),
        ("min_loss=NaN", "min_loss"),
        ("wrong=perhaps", "wrong"),
        ("source=elsewhere", "source"),
        ("source=precomputed&wrong=true", "wrong"),
    ],
)
def test_a_wrong_query_is_refused_with_its_field(world, query, field):
    with world.api() as client:
        answer = client.get(f"{LIST}?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == f"query.{field}"


def test_what_is_wrong_is_not_asked_of_a_regression(make_world):
    model = {"task": "regression", "pipeline": "linear_model.LinearRegression()"}
    world = make_world(model=model)
    world.append(*({"id": f"r{n}", "at": n, "x": n, "late": 3.0} for n in range(3)))
    world.work()
    with world.api() as client:
        assert client.get(LIST, params={"wrong": True}).status_code == 422
        (one, *_) = client.get(LIST, params={"min_loss": 0}).json()["predictions"]
    assert (one["correct"], one["probabilities"]) == (None, None)
    assert one["loss"] == pytest.approx(abs(one["prediction"] - 3.0))


def test_one_prediction_comes_with_its_event_and_its_label_when_it_came(world):
    event = world.event(id="a/b c")
    world.append(event)
    world.work()
    with world.api() as client:
        before = client.get(f"{LIST}/a%2Fb%20c").json()
        world.append({"id": "a/b c", "late": True}, topic=world.config.labels_topic)
        world.work()
        after = client.get(f"{LIST}/a%2Fb%20c").json()
    PredictionDetails.model_validate(before)
    assert before["features"] == {"x": event["x"], "z": 1.5}
    assert (before["label_state"], before["label"], before["correct"]) == ("waiting", None, None)
    assert before["place"] == {"topic": "flights.events", "partition": 0, "offset": 20}
    assert (after["label_state"], after["label"]) == ("labelled", True)
    assert after["correct"] == (after["prediction"] is True)
    assert after["loss"] == pytest.approx(after["probabilities"]["false"] ** 2)
    assert after["labelled_at"] is not None
    changed = {"label_state", "label", "labelled_at", "correct", "loss"}
    assert {k: v for k, v in after.items() if k not in changed} == {
        k: v for k, v in before.items() if k not in changed
    }


def test_a_prediction_that_the_api_gave_is_shown_as_it_was_given(world):
    with world.api() as client:
        event = world.event()
        given = client.post("/v1/streams/flights/predict", json={"event": event}).json()
    world.work()
    with world.api() as client:
        shown = client.get(f"{LIST}/{event['id']}").json()
    assert shown["source"] == "api"
    assert shown["probabilities"] == given["probabilities"]
    assert shown["learned_offset"] == given["learned_offset"]


def test_a_large_event_is_shown_without_its_features_and_says_where_it_stands(world):
    world.append(world.event(id="big", note="x" * MAX_VALUE_BYTES))
    world.work()
    with world.api() as client:
        shown = client.get(f"{LIST}/big").json()
    assert shown["features"] is None
    assert "flights.events-0, offset 20" in shown["features_note"]


def test_an_id_that_nobody_knows_is_a_404(world):
    with world.api() as client:
        answer = client.get(f"{LIST}/nobody")
        assert client.get(f"{LIST}/{'x' * 513}").status_code == 422
    assert answer.status_code == 404
    assert answer.json()["type"] == "urn:riverrun:problem:unknown_prediction"


def test_precomputed_predictions_are_looked_up_by_the_same_route(world):
    made = Scored("ahead", 1_000, 2_000, 0.25, "v1", 20, "00ff", b'{"id":"ahead","x":1.0}', True)
    world.store.precomputed.add([made], keep=10)
    with world.api() as client:
        one = client.get(f"{LIST}/ahead").json()
        listed = client.get(LIST, params={"source": "precomputed"}).json()
        assert "ahead" not in ids(client.get(LIST))
    assert (one["source"], one["prediction"], one["features"]) == ("precomputed", False, {"x": 1.0})
    assert (one["label"], one["correct"], one["loss"]) == (True, False, 0.5625)
    assert (listed["kept"], listed["predictions"][0]["id"]) == (1, "ahead")


def test_a_store_that_is_gone_is_a_503_and_the_next_request_works(world, monkeypatch):
    from stream.errors import StoreUnreachableError

    with world.api() as client:
        with monkeypatch.context() as patched:

            def gone(*_):
                raise StoreUnreachableError("store: gone")

            patched.setattr("stream.storage.recent.RecentStore.numbers", gone)
            assert client.get(LIST).status_code == 503
        assert client.get(LIST).status_code == 200
