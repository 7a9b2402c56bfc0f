"""The monitor's routes where something is missing, hostile, damaged or slow."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest

from serve.api.monitoring import reader
from tests.serve.watched import MONITOR, PANE, WARM_UP, damage, watched_event, watched_world

BASE = "/v1/streams/flights"
LISTS = ["/schema", "/anomalies", "/anomalies?from=0", "/drift", "/performance"]
TESTS = ["/drift-report", "/drift/x"]
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "two\nlines",
    "ends\n",
    "a/b",
    "/",
    "50% off?#",
    "ünï ☃ 数",
    "\u202eeman",
    "other",
    "report",
    "",
]


@pytest.mark.parametrize("route", LISTS)
def test_before_the_first_checkpoint_there_is_an_answer_that_says_so(make_world, route):
    with make_world().api() as client:
        answer = client.get(BASE + route)
    assert answer.status_code == 200
    assert answer.json()["checkpoint"] is answer.json()["state"] is None
    assert "no checkpoint yet" in answer.json()["note"]


@pytest.mark.parametrize("route", LISTS)
def test_in_the_warm_up_there_is_an_answer_that_says_how_far_it_is(make_world, route):
    world = make_world(monitor=MONITOR)
    world.learn(20)
    with world.api() as client:
        answer = client.get(BASE + route)
    assert answer.status_code == 200
    assert answer.json()["warm_up"] == {"events": 20, "wanted": WARM_UP}
    assert "20 of 100 events" in answer.json()["note"]


def test_what_needs_a_reference_says_that_there_is_none_yet(make_world):
    world = make_world(monitor=MONITOR)
    world.learn(20)
    with world.api() as client:
        for route in TESTS:
            answer = client.get(BASE + route)
            assert answer.status_code == 404
            assert "the warm-up" in answer.json()["detail"]
        text = client.get(f"{BASE}/schema?format=toml").json()
    assert text["type"].endswith(":no_schema_yet")
    assert "20 of 100 events" in text["detail"]


def test_between_warm_up_and_the_first_pane_the_reference_is_shown(tmp_path):
    world = watched_world(tmp_path, WARM_UP + PANE // 2)
    with world.api() as client:
        drift = client.get(f"{BASE}/drift").json()
        feature = client.get(f"{BASE}/drift/x").json()
        report = client.get(f"{BASE}/drift-report")
    assert drift["panes"] == []
    assert drift["note"] == "no pane has closed since the warm-up; the open one has 10 events"
    assert drift["reference"]["events"] == WARM_UP
    assert feature["span"] is None
    assert report.json()["type"].endswith(":no_panes")
    world.close()


@pytest.mark.parametrize("route", LISTS + TESTS)
def test_a_monitor_that_is_switched_off_is_a_problem_that_says_so(make_world, route):
    world = make_world(monitor={"enabled": False})
    world.learn(20)
    with world.api() as client:
        answer = client.get(BASE + route)
        unknown = client.get(f"/v1/streams/nope{route}")
    assert answer.status_code == 404
    assert answer.json()["type"].endswith(":monitor_disabled")
    assert "monitor.enabled = true" in answer.json()["detail"]
    assert unknown.json()["known"] == ["flights"]


def test_any_name_of_a_feature_can_be_asked_for(tmp_path):
    names = HOSTILE + [f"f{number}" for number in range(500 - len(HOSTILE))]
    world = watched_world(tmp_path, 0)
    for number in range(WARM_UP + 2 * PANE):
        event = watched_event(number)
        world.append(event | {name: float(number % 7 + at) for at, name in enumerate(names)})
    world.work()
    with world.api() as client:
        columns = client.get(f"{BASE}/drift").json()["layouts"]
        assert {column["name"] for column in next(iter(columns.values()))} >= set(names)
        declared = client.get(f"{BASE}/schema").json()["schema"]["features"]
        assert {feature["name"] for feature in declared} >= set(names)
        for name in HOSTILE:
            answer = client.get(f"{BASE}/drift/{quote(name, safe='')}?limit=1")
            assert answer.status_code == 200, name
            assert answer.json()["name"] == name
            assert answer.json()["series"][0]["comparable"]
        text = client.get(f"{BASE}/schema?format=toml").text
        assert '[features."two\\nlines"]' in text
        close = client.get(f"{BASE}/drift/{quote('<img src=x onerror=alert(2)>', safe='')}").json()
        assert close["known"] == [HOSTILE[0]]
    world.close()


def test_panes_of_other_bins_are_shown_as_such(tmp_path):
    world = watched_world(tmp_path)
    damage(world, "UPDATE panes SET layout = 'other' WHERE pane = 3")
    with world.api() as client:
        report = client.get(f"{BASE}/drift-report?from=0").json()
        series = client.get(f"{BASE}/drift/x").json()["series"]
        timeline = client.get(f"{BASE}/drift").json()
    assert report["span"]["skipped"] == 1
    assert report["span"]["panes"] == len(timeline["panes"]) - 1
    assert [point["index"] for point in series if not point["comparable"]] == [3]
    assert {point["ratio"] for point in series if not point["comparable"]} == {None}
    assert "other" not in timeline["layouts"]
    world.close()


def test_a_damaged_reference_fails_what_needs_it_and_nothing_else(tmp_path):
    world = watched_world(tmp_path)
    damage(world, """UPDATE "references" SET data = substr(data, 2)""")
    with world.api() as client:
        for route in TESTS:
            answer = client.get(BASE + route)
            assert answer.status_code == 503
            assert answer.json()["type"].endswith(":history_damaged")
            assert "reference of v1" in answer.json()["detail"]
        timeline = client.get(f"{BASE}/drift").json()
        assert timeline["layouts"] == {}
        assert len(timeline["panes"]) == 15
        for route in LISTS:
            assert client.get(BASE + route).status_code == 200
    world.close()


@pytest.mark.parametrize(
    ("column", "routes"),
    [
        ("data", ["/drift-report", "/drift/x", "/anomalies?from=0"]),
        ("scores", ["/performance", "/performance?from=0"]),
    ],
)
def test_a_damaged_pane_is_named(tmp_path, column, routes):
    world = watched_world(tmp_path)
    damage(world, f"UPDATE panes SET {column} = substr({column}, 1, 9) WHERE pane = 14")
    with world.api() as client:
        for route in routes:
            answer = client.get(BASE + route)
            assert answer.status_code == 503
            assert "pane 14" in answer.json()["detail"]
        assert client.get(f"{BASE}/drift").status_code == 200
    world.close()


@pytest.mark.parametrize("route", LISTS + TESTS)
def test_a_store_that_does_not_answer_is_unavailable_and_not_our_failure(tmp_path, route):
    world = watched_world(tmp_path, WARM_UP + PANE)
    with world.api() as client:
        damage(world, "DROP TABLE checkpoints")
        answer = client.get(BASE + route)
    assert answer.status_code == 503
    assert answer.json()["type"].endswith(":store_unreachable")
    assert answer.headers["retry-after"] == "1"
    world.close()


def test_a_slow_store_keeps_nobody_else_waiting_and_its_queue_is_bounded(tmp_path, monkeypatch):
    world = watched_world(tmp_path, WARM_UP + PANE)
    monkeypatch.setattr(reader, "_WAITING_MAX", 3)
    read = world.store.history.panes

    def slow(*arguments, **options):
        time.sleep(0.5)
        return read(*arguments, **options)

    monkeypatch.setattr(world.store.history, "panes", slow)
    with world.api() as client, ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(client.get, f"{BASE}/drift") for _ in range(8)]
        time.sleep(0.1)
        started = time.monotonic()
        assert client.get("/healthz").status_code == 200
        body = {"event": world.event(c="u"), "record": False}
        assert client.post(f"{BASE}/predict", json=body).status_code == 200
        assert time.monotonic() - started < 0.4
        answers = [one.result() for one in asked]
        again = client.get(f"{BASE}/drift")
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [503] * 5
    busy = next(answer for answer in answers if answer.status_code == 503)
    assert busy.json()["type"].endswith(":history_busy")
    assert again.status_code == 200
    world.close()
