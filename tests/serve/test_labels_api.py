"""People in the loop: whose word is wanted, who gave which label, and who disagrees."""

from __future__ import annotations

import pytest

LABELS = "/v1/streams/flights/labels"
WANTED = f"{LABELS}/wanted"
CONFLICTS = f"{LABELS}/conflicts"


def as_person(name: str) -> dict[str, str]:
    return {"X-Requested-By": name}


def unlabelled(world, count: int = 30) -> list[dict]:
    events = [world.event(x=(index - count / 2) / 4) for index in range(count)]
    world.append(*events)
    world.work()
    return events


def test_the_most_uncertain_predictions_are_wanted_first(world):
    events = {event["id"]: event for event in unlabelled(world)}
    with world.api() as client:
        found = client.get(WANTED).json()
        few = client.get(WANTED, params={"budget": 3}).json()
    assert found["waiting"] == 30
    assert found["note"] is None
    scores = [row["uncertainty"] for row in found["wanted"]]
    assert len(scores) == 30
    assert scores == sorted(scores, reverse=True)
    assert 0 < scores[-1] < scores[0] <= 1
    assert few["wanted"] == found["wanted"][:3]
    assert few["budget"] == 3
    for row in found["wanted"]:
        assert row["event"] == events[row["id"]]
        assert row["until"] > row["time"]
        assert row["prediction"] is (row["probabilities"]["true"] > 0.5)
    furthest = max(found["wanted"], key=lambda row: abs(row["probabilities"]["true"] - 0.5))
    assert furthest["id"] == found["wanted"][-1]["id"]


def test_a_label_takes_its_prediction_off_the_list(world):
    unlabelled(world)
    with world.api() as client:
        first = client.get(WANTED).json()["wanted"][0]["id"]
        client.post(LABELS, json={"id": first, "late": True})
        world.work()
        found = client.get(WANTED).json()
    assert found["waiting"] == 29
    assert first not in {row["id"] for row in found["wanted"]}


@pytest.mark.parametrize("budget", [0, 1, 1_000])
def test_the_budget_bounds_what_a_checkpoint_keeps(make_world, budget):
    world = make_world(labels={"wanted_budget": budget})
    world.learn()
    unlabelled(world, 20)
    with world.api() as client:
        found = client.get(WANTED, params={"budget": 500}).json()
    assert len(found["wanted"]) == min(budget, 20)
    assert (found["note"] is None) == (budget > 0)
    if not budget:
        assert "wanted_budget" in found["note"]


def test_without_anything_to_ask_it_says_why(make_world):
    world = make_world()
    with world.api() as client:
        assert "no checkpoint yet" in client.get(WANTED).json()["note"]
        world.learn()
        assert "no prediction waits" in client.get(WANTED).json()["note"]
        assert client.get(WANTED, params={"budget": 0}).status_code == 422
        assert client.get("/v1/streams/nope/labels/wanted").status_code == 404


def test_a_regression_says_that_it_states_no_probability(make_world):
    pipeline = "preprocessing.StandardScaler() | linear_model.LinearRegression()"
    world = make_world(model={"task": "regression", "pipeline": pipeline})
    world.append(*(world.event(late=float(index)) for index in range(5)))
    unlabelled(world, 5)
    with world.api() as client:
        found = client.get(WANTED).json()
    assert found["wanted"] == []
    assert "states no probability" in found["note"]


def test_two_people_who_disagree_are_a_conflict_that_is_shown(world):
    unlabelled(world, 3)
    with world.api() as client:
        key = client.get(WANTED).json()["wanted"][0]["id"]
        for name, label in (("anna", True), ("bert", False), ("carl", True), ("dora", False)):
            answer = client.post(LABELS, json={"id": key, "late": label}, headers=as_person(name))
            assert answer.status_code == 202
        status = world.work()
        found = client.get(CONFLICTS).json()
        page = client.get(CONFLICTS, params={"limit": 1}).json()
        rest = client.get(CONFLICTS, params={"limit": 1, "cursor": page["next"]}).json()
    assert status["labels"]["conflicting"] == 2
    assert (found["counted"], found["kept"]) == (2, 2)
    assert [one["said"]["by"] for one in found["conflicts"]] == ["dora", "bert"]
    for one in found["conflicts"]:
        assert one["id"] == key
        assert (one["learned"]["by"], one["learned"]["label"]) == ("anna", True)
        assert one["said"]["label"] is False
        assert one["learned"]["at"] <= one["said"]["at"]
    assert page["conflicts"] + rest["conflicts"] == found["conflicts"]
    assert rest["next"] is None


def test_a_conflict_outlives_the_worker_and_comes_once(world):
    unlabelled(world, 3)
    with world.api() as client:
        key = client.get(WANTED).json()["wanted"][0]["id"]
        client.post(LABELS, json={"id": key, "late": True}, headers=as_person("anna"))
        world.work()
        world._worker = None  # another process goes on from the checkpoint
        client.post(LABELS, json={"id": key, "late": False}, headers=as_person("bert"))
        world.work()
        world._worker = None
        world.append(world.event(late=True))
        world.work()
        (one,) = client.get(CONFLICTS).json()["conflicts"]
    assert (one["learned"]["by"], one["said"]["by"]) == ("anna", "bert")


def test_a_rebuild_tells_every_conflict_once_again(world):
    unlabelled(world, 3)
    with world.api() as client:
        key = client.get(WANTED).json()["wanted"][0]["id"]
        for name, label in (("anna", True), ("bert", False)):
            client.post(LABELS, json={"id": key, "late": label}, headers=as_person(name))
        world.work()
        before = client.get(CONFLICTS).json()
        world._worker = None
        from stream.build import line_factory
        from stream.clock import SystemClock
        from stream.worker import open_worker

        again = open_worker(
            world.config, world.log, world.store, line_factory(world.config), SystemClock()
        )
        again.start(rebuild=True)
        again.run(lambda: False, until_caught_up=True)
        assert client.get(CONFLICTS).json()["conflicts"] == before["conflicts"]


def test_labels_without_a_name_conflict_too(world):
    (event, _) = unlabelled(world, 2)
    with world.api() as client:
        client.post(LABELS, json={"id": event["id"], "late": True})
        client.post(LABELS, json={"id": event["id"], "late": False})
        world.work()
        (one,) = client.get(CONFLICTS).json()["conflicts"]
    assert one["learned"] == {"label": True, "by": None, "at": None}
    assert (one["said"]["label"], one["said"]["by"]) == (False, None)
    assert one["said"]["at"]


def test_a_label_that_came_before_its_event_keeps_its_giver(world):
    event = world.event()
    with world.api() as client:
        early = {"id": event["id"], "late": True}
        client.post(LABELS, json=early, headers=as_person("anna"))
        world.work()
        world.append(event | {"late": False})
        client.post(LABELS, json=early, headers=as_person("carl"))
        world.work()
        found = client.get(CONFLICTS).json()["conflicts"]
    assert [(one["learned"]["by"], one["said"]["by"]) for one in found] == [
        (None, "carl"),
        (None, "anna"),
    ]


def test_the_giver_stands_in_the_records_headers(world):
    event = unlabelled(world, 1)[0]
    with world.api() as client:
        label = {"id": event["id"], "late": True}
        client.post(LABELS, json=label, headers=[(b"x-requested-by", "Jörg".encode("latin-1"))])
    (record,) = world.records(world.config.labels_topic)
    assert record.header("riverrun-labelled-by") == "Jörg".encode()
