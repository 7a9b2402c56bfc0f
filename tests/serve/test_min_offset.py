"""Reading one's writes: a prediction by a model that has read what was sent before."""

from __future__ import annotations

import threading
import time

import pytest

from stream.logs.sqlite_log import SqliteLog

BASE = "/v1/streams/flights"
PREDICT = f"{BASE}/predict"


def ask(client, event, min_offset, record=False):
    body = {"event": event, "record": record, "min_offset": min_offset}
    return client.post(PREDICT, json=body)


def test_a_model_that_has_read_so_far_answers_at_once(world):
    with world.api() as client:
        for min_offset in (None, 0, 20, {}, {"flights.events-0": 20}):
            assert ask(client, world.event(), min_offset).status_code == 200


def test_what_was_just_labelled_is_learned_by_the_model_that_answers(world):
    with world.api() as client:
        event = world.event(x=3.0)
        places = client.post(f"{BASE}/events", json=event | {"late": True}).json()
        assert places["min_offset"] == {"flights.events-0": 21}
        before = ask(client, event, None).json()
        answers = []
        thread = threading.Thread(
            target=lambda: answers.append(ask(client, event, places["min_offset"]))
        )
        thread.start()
        time.sleep(0.2)
        assert not answers
        world.work()
        thread.join(10)
    (answer,) = answers
    assert answer.status_code == 200
    assert answer.json()["learned_offset"] == 21
    assert answer.json()["probabilities"] != before["probabilities"]


def test_a_label_is_waited_for_on_its_own_topic(world):
    event = world.event()
    with world.api() as client:
        client.post(f"{BASE}/events", json=event)
        label = client.post(f"{BASE}/labels", json={"id": event["id"], "late": True}).json()
        assert label["min_offset"] == {"flights.labels-0": 1}
        learned = world.work()["counts"]["learned"]
        answer = ask(client, event, label["min_offset"])
    assert learned == 21
    assert answer.json()["learned_offset"] == 22


def test_with_several_partitions_each_is_waited_for(make_world, tmp_path):
    log = SqliteLog(tmp_path / "parts.db", busy_seconds=2.0)
    log.create_topics({"flights.events": 3})
    world = make_world(log=log, api={"offset_wait": 200})
    world.learn()
    with world.api() as client:
        sent = [world.event() for _ in range(30)]
        places = client.post(f"{BASE}/events", json=sent).json()
        wanted = places["min_offset"]
        assert len(wanted) == 3
        # The sum says too little: 20 were read before, wherever they stood.
        assert ask(client, sent[0], 20).status_code == 200
        late = ask(client, sent[0], wanted)
        assert late.status_code == 409
        world.work()
        answer = ask(client, sent[0], wanted)
    assert answer.status_code == 200
    assert answer.json()["learned_offset"] == 50


def test_a_model_that_does_not_come_in_time_is_a_409_that_says_how_far_it_is(make_world):
    world = make_world(api={"offset_wait": "100ms"})
    world.learn()
    with world.api() as client:
        started = time.monotonic()
        total = ask(client, world.event(), 10_000)
        each = ask(client, world.event(), {"flights.labels-0": 7})
        batch = client.post(f"{PREDICT}/batch", json={"events": [], "min_offset": 21})
    assert time.monotonic() - started < 5
    for answer in (total, each, batch):
        assert answer.status_code == 409
        assert answer.headers["retry-after"] == "1"
        assert answer.json()["type"] == "urn:riverrun:problem:offset_not_reached"
        assert answer.json()["errors"][0]["field"] == "min_offset"
    assert "20" in total.json()["detail"]
    assert "{'flights.labels-0': 0}" in each.json()["detail"]


@pytest.mark.parametrize(
    ("min_offset", "field"),
    [
        (-1, "min_offset"),
        (1.5, "min_offset"),
        ("20", "min_offset"),
        ([1], "min_offset"),
        ({"flights.events-0": -1}, "min_offset[...]"),
        ({"flights.predictions-0": 1}, "min_offset.flights.predictions-0"),
        ({"flights.events": 1}, "min_offset.flights.events"),
        ({"flights.events-x": 1}, "min_offset.flights.events-x"),
    ],
)
def test_what_is_no_offset_is_refused_by_name(world, min_offset, field):
    with world.api() as client:
        answer = ask(client, world.event(), min_offset)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_a_client_that_stops_waiting_is_forgotten(make_world, wait):
    world = make_world(api={"offset_wait": "300ms"})
    world.learn()
    stream = world.served()
    with world.api(stream) as client:
        for _ in range(3):
            with pytest.raises(Exception, match="timed out"):
                client.post(
                    PREDICT, json={"event": {}, "record": False, "min_offset": 99}, timeout=0.05
                )
        wait(lambda: stream.waiting == 0)
        assert not stream.models._listeners
