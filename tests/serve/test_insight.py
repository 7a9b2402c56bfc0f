"""What the dashboard asks beside the monitor: the past, happenings, parts, impact; its files."""

from __future__ import annotations

import gzip
from collections import Counter

import pytest

from serve.api.insight.impact import impact_of
from serve.api.insight.sampler import Sampler
from tests.serve.watched import damage, watched_event, watched_world

STREAM = "/v1/streams/flights"


@pytest.fixture
def watched(tmp_path):
    world = watched_world(tmp_path, retrain={"enabled": False})
    world.append(watched_event(400) | {"x": "three"}, watched_event(401) | {"new": 1})
    world.append(*(watched_event(number) for number in range(402, 440)))
    world.work()
    yield world
    world.close()


def test_samples_tell_rate_lag_and_score(watched):
    served = watched.served()
    served.start()
    try:
        sampler = Sampler(served)
        sampler.look()
        watched.append(*(watched_event(number) for number in range(440, 460)))
        served.lag.look()
        sampler.look()
        assert sampler.samples(fine=True)[-1].lag == 20
        watched.work()
        watched_served_sees(served, watched)
        served.lag.look()
        sampler.look()
    finally:
        served.stop(1.0)
        sampler.stop()
    first, second, third = sampler.samples(fine=True)
    assert (first.per_second, second.read) == (None, first.read)
    assert third.read == first.read + 20
    assert third.per_second > 0
    assert third.lag == 0
    assert 0 <= third.score <= 1
    assert third.memory > 10_000_000
    assert len(sampler.samples(fine=False)) == 1, "one a minute"


def watched_served_sees(served, world):
    newest = world.store.newest()
    from tests.serve.conftest import eventually

    eventually(lambda: served.models.newest.number == newest.number)


def test_anomalies_over_time_add_up_to_those_of_the_range(watched):
    with watched.api() as client:
        series = client.get(f"{STREAM}/anomaly-series", params={"limit": 1000}).json()
        span = {"from": "0", "to": "10000000000000"}
        whole = client.get(f"{STREAM}/anomalies", params=span).json()
        part = client.get(f"{STREAM}/anomaly-series", params={"limit": 3}).json()
        rest = client.get(
            f"{STREAM}/anomaly-series", params={"limit": 1000, "cursor": part["next"]}
        ).json()
    summed = Counter()
    for pane in series["panes"]:
        summed.update(pane["counts"])
    assert summed["wrong_type"] == summed["unexpected_feature"] == 1
    assert {kind: count for kind, count in whole["counts"].items() if count} == dict(summed)
    assert [one["index"] for one in part["panes"] + rest["panes"]] == [
        one["index"] for one in series["panes"]
    ]


def test_happenings_are_sentences_newest_first(watched):
    with watched.api() as client:
        found = client.get(f"{STREAM}/happenings").json()["happenings"]
        one = client.get(f"{STREAM}/happenings", params={"limit": 1}).json()["happenings"]
        assert client.get(f"{STREAM}/happenings", params={"limit": 0}).status_code == 422
    assert one == found[:1]
    assert [row["at"] for row in found] == sorted((row["at"] for row in found), reverse=True)
    assert {"reference", "pane"} <= {row["kind"] for row in found}
    assert any("x" in row["sentence"] for row in found if row["kind"] == "pane")


def test_the_system_names_its_parts_and_hides_secrets(make_world):
    world = make_world(
        alerts={"webhook": "https://hooks.example.org/T0/B0/secret-token?token=abc"},
    )
    world.learn()
    with world.api() as client:
        found = client.get(f"{STREAM}/system").json()
        wait_for_a_look(client)
        found = client.get(f"{STREAM}/system").json()
    assert {one["part"]: one["state"] for one in found["parts"]}["store"] == "ok"
    assert [one["partition"] for one in found["partitions"]] == [
        "flights.events-0",
        "flights.labels-0",
    ]
    assert all(one["lag"] == 0 for one in found["partitions"])
    stages = {one["stage"]: one for one in found["stages"] if one["process"] == "worker"}
    assert stages["handle"]["per_record"] > 0
    assert {one["process"] for one in found["processes"]} == {"api", "worker"}
    assert found["checkpoint"]["number"] >= 1
    settings = {one["key"]: one for one in found["settings"]}
    assert settings["event.label"]["value"] == "late"
    assert not settings["event.label"]["is_default"]
    assert settings["labels.max_pending"]["is_default"]
    assert settings["alerts.webhook"]["hidden"]
    assert settings["alerts.webhook"]["value"] == "https://hooks.example.org/•••"


def wait_for_a_look(client):
    from tests.serve.conftest import eventually

    eventually(lambda: client.get(f"{STREAM}/system").json()["partitions"] is not None)


def test_a_store_that_is_away_is_a_red_part(watched, wait):
    with watched.api() as client:
        damage(watched, "ALTER TABLE checkpoints RENAME TO away")
        try:
            wait(lambda: state(client, "store") == "bad")
        finally:
            damage(watched, "ALTER TABLE away RENAME TO checkpoints")
        wait(lambda: state(client, "store") == "ok")


def state(client, part):
    parts = client.get(f"{STREAM}/system").json()["parts"]
    return next(one["state"] for one in parts if one["part"] == part)


def test_an_impact_is_what_moves_predictions(watched):
    with watched.api() as client:
        found = client.get(f"{STREAM}/impact").json()
    assert found["note"] is None
    assert found["events"] == 32
    assert found["features"][0]["feature"] == "x", "its weight and its spread are the largest"
    assert sum(one["share"] for one in found["features"]) == pytest.approx(1.0)
    assert impact_of([{"a": 2.0}, {}]) == {"a": 1.0}


def test_without_a_worker_routes_say_so(make_world):
    with make_world().api() as client:
        impact = client.get(f"{STREAM}/impact").json()
        assert (impact["features"], impact["model_version"]) == ([], None)
        assert "riverrun worker" in impact["note"]
        assert client.get(f"{STREAM}/happenings").json()["happenings"] == []
        assert client.get(f"{STREAM}/anomaly-series").json()["note"].startswith("no checkpoint")
        parts = {one["part"]: one for one in client.get(f"{STREAM}/system").json()["parts"]}
        assert "riverrun worker" in parts["worker"]["advice"]
        assert client.get("/v1/streams/nobody/system").status_code == 404


def test_pages_and_files_are_sent_under_a_strict_policy_and_kept_by_their_content(world):
    with world.api() as client:
        home = client.get("/")
        assert (home.status_code, home.headers["location"]) == (307, "/ui/flights/overview")
        page = client.get("/ui/flights/drift")
        assert page.status_code == 200
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert "<script>" not in page.text
        assert "style=" not in page.text
        script = page.text.split('type="module" src="')[1].split('"')[0]
        asset = client.get(script)
        assert asset.headers["content-encoding"] == "gzip"
        assert "immutable" in asset.headers["cache-control"]
        assert asset.text.startswith("//")
        plain = client.get(script, headers={"accept-encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert plain.text == asset.text
        old = client.get(script.replace("/ui/assets/", "/ui/assets/0"))
        assert old.headers["cache-control"] == "no-cache"
        assert client.get("/ui/assets/0/no/such.js").status_code == 404
        assert client.get("/ui/assets/0/../pages.py").status_code == 404
        assert client.get("/favicon.ico").headers["content-type"] == "image/svg+xml"


def test_plotly_is_the_installed_package_s_own(world):
    from pathlib import Path

    import plotly

    held = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    with world.api() as client:
        page = client.get("/ui/flights/drift").text
        url = page.split('data-plotly="')[1].split('"')[0]
        assert client.get(url).content == held.read_bytes()
        assert len(gzip.compress(held.read_bytes(), 6)) < 2_000_000
