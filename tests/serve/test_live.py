"""Live events: what comes, in what order, again after a gap, bounded, and a clean end."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from threading import Thread

import httpx
import msgspec
import pytest
from httpx_sse import EventSource

from serve.api.lifecycle.shapes import Change
from serve.api.live import hub
from serve.api.live.collect import LiveEvent
from serve.api.live.place import Place
from serve.api.live.shapes import (
    AnomalyEvent,
    PaneEvent,
    PredictionEvent,
    ReloadEvent,
    StatusEvent,
)
from tests.lines import SMALL_MONITOR
from tests.serve.test_run_api import SERVE

LIVE = "/v1/streams/flights/live"
SHAPES = {
    "status": StatusEvent,
    "pane": PaneEvent,
    "run": Change,
    "anomaly": AnomalyEvent,
    "prediction": PredictionEvent,
    "reload": ReloadEvent,
}


class Seen(list):
    """Events as (type, id, data, when they came), and helpers to wait for some."""

    def of(self, kind: str) -> list:
        return [data for found, _, data, _ in self if found == kind]

    @property
    def ids(self) -> list[str]:
        return [place for _, place, _, _ in self]


@contextmanager
def viewer(url, path=LIVE, **params):
    """Watch live events in a thread, each checked against its shape."""
    seen, headers = Seen(), params.pop("headers", {})
    client = httpx.Client(base_url=url, timeout=30)
    opened = client.stream("GET", path, params=params, headers=headers)
    response = opened.__enter__()
    assert response.status_code == 200, response.read()

    def read():
        try:
            for sse in EventSource(response).iter_sse():
                if sse.data:
                    data = msgspec.json.decode(sse.data)
                    SHAPES[sse.event].model_validate(data)
                    seen.append((sse.event, sse.id, data, time.time()))
            seen.ended = True
        except (httpx.TransportError, httpx.StreamClosed, OSError):
            pass

    seen.ended, seen.response = False, response
    thread = Thread(target=read, daemon=True)
    thread.start()
    seen.thread = thread
    try:
        yield seen
    finally:
        # A socket that another thread reads must be shut down, not only closed.
        raw = response.extensions["network_stream"].get_extra_info("socket")
        with suppress(OSError):
            raw.shutdown(socket.SHUT_RDWR)
        thread.join(5)
        opened.__exit__(None, None, None)
        client.close()


@pytest.fixture
def watched(make_world):
    """A stream whose monitor has closed some panes."""
    world = make_world(monitor=SMALL_MONITOR)
    world.learn(150)
    return world


def test_each_checkpoint_comes_as_it_is_made_and_ids_never_fall(watched, wait):
    with watched.api() as client, viewer(client.base_url) as seen:
        wait(lambda: len(seen) == 1)
        assert seen[0][0] == "status"
        assert seen.response.headers["content-type"].startswith("text/event-stream")
        appended = time.time()
        watched.append(watched.event(x="no number", late=True))
        watched.learn(45)
        wait(lambda: len(seen.of("status")) == 2)
    kinds = {kind for kind, *_ in seen}
    assert kinds == {"status", "pane", "anomaly", "prediction"}
    places = [Place.parse(place) for place in seen.ids]
    assert places == sorted(places)
    assert len(set(seen.ids)) == len(seen)
    assert all(at - appended < 2.0 for *_, at in seen[1:])
    anomaly = next(one for one in seen.of("anomaly") if one["kind"] == "wrong_type")
    assert (anomaly["feature"], anomaly["count"], anomaly["severity"]) == ("x", 1, "error")
    status = seen.of("status")[-1]
    assert status["counts"]["events"] == 196
    assert (status["lag_total"], status["checkpoint"]["number"]) == (0, 2)
    assert status["events_per_second"] > 0
    predictions = seen.of("prediction")
    assert len(predictions) == 20
    assert predictions[0]["left_out"] == 45 - 20
    assert [one["number"] for one in predictions] == list(range(176, 196))


def test_a_stream_that_has_learned_nothing_tells_its_status_too(make_world, wait):
    world = make_world()
    with world.api() as client, viewer(client.base_url) as seen:
        wait(lambda: len(seen) == 1)
        world.learn(1)
        wait(lambda: seen.of("prediction"))
    assert (seen[0][1], seen[0][2]["checkpoint"], seen[0][2]["lag"]) == ("0.4.0", None, None)


def test_a_run_is_told(watched, wait):
    with watched.api() as client, viewer(client.base_url, types="run") as seen:
        body = {"reason": "a test"}
        assert client.post("/v1/streams/flights/retrains", json=body).status_code == 202
        wait(lambda: watched.work() and seen.of("run"))
    assert {kind for kind, *_ in seen} == {"run"}
    assert (seen[0][2]["state"], seen[0][2]["run"]) == ("training", 1)


@pytest.mark.parametrize("how", ["header", "query"])
def test_another_process_goes_on_behind_any_event(watched, wait, how):
    """Ids come out of the store: what one API sent, one that starts later sends again alike."""
    kinds = "pane,anomaly,prediction"
    with watched.api() as client, viewer(client.base_url, types=kinds) as first:
        for turn in range(1, 4):
            watched.learn(25)
            # Of a checkpoint, predictions come last: twenty of them at most.
            wait(lambda turn=turn: len(first.of("prediction")) == 20 * turn)
    assert len(first) > 20
    cut = len(first) // 2
    asked = {"headers": {"Last-Event-ID": first.ids[cut]}} if how == "header" else {}
    asked |= {} if how == "header" else {"after": first.ids[cut]}
    with watched.api() as client, viewer(client.base_url, types=kinds, **asked) as second:
        wait(lambda: len(second) >= len(first) - cut - 1)
    rest = [(kind, place, data) for kind, place, data, _ in first[cut + 1 :]]
    assert [(kind, place, data) for kind, place, data, _ in second] == rest


def test_who_was_away_for_long_is_told_to_reload(watched, wait, monkeypatch):
    monkeypatch.setattr("serve.api.live.collect.EVENTS_MAX", 3)
    for _ in range(3):
        watched.learn(45)
    with watched.api() as client, viewer(client.base_url, after="1.0.0") as seen:
        wait(lambda: len(seen) == 2)
    assert [kind for kind, *_ in seen] == ["reload", "status"]
    assert seen[0][2] == {"reason": "too_far"}


def test_panes_that_are_forgotten_are_a_reason_to_reload(make_world, wait):
    world = make_world(monitor=SMALL_MONITOR | {"panes_kept": 64, "pane_events": 10})
    world.learn(150)
    for _ in range(3):
        world.learn(300)
    with world.api() as client, viewer(client.base_url, after="1.4.0") as seen:
        wait(lambda: len(seen) == 2)
    assert seen[0][2] == {"reason": "too_far"}


@pytest.mark.parametrize("last", ["999999.0.0", "from-another-program"])
def test_an_id_that_the_store_does_not_know_is_a_reason_to_reload(world, wait, last):
    headers = {"Last-Event-ID": last}
    with world.api() as client, viewer(client.base_url, headers=headers) as seen:
        wait(lambda: len(seen) == 2)
    assert [kind for kind, *_ in seen] == ["reload", "status"]
    assert seen[0][2] == {"reason": "unknown_id"}


def test_a_worker_that_went_back_makes_viewers_reload(world, wait):
    world.learn(5)
    with world.api() as client, viewer(client.base_url, types="status") as seen:
        wait(lambda: len(seen) == 1)
        world.store.go_back_to(world.store.claim("another", time.time()), 1)
        wait(lambda: seen.of("reload"))
    assert seen.of("reload") == [{"reason": "unknown_id"}]


def test_who_does_not_keep_up_is_told_to_reload_and_holds_nobody_up(world, wait, monkeypatch):
    """Twenty events of 200 KB a checkpoint fill the sockets of a viewer that reads nothing."""
    monkeypatch.setattr(hub, "QUEUE", 30)
    wire = b"event: prediction\ndata: \nid: 1.3.0\nx: " + b"x" * 200_000 + b"\n\n"
    large = [LiveEvent(Place(1, 3, n), "prediction", wire) for n in range(20)]
    monkeypatch.setattr(hub, "collect", lambda *_: large)
    with world.api() as client, socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        slow.connect((client.base_url.host, client.base_url.port))
        slow.sendall(f"GET {LIVE} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        with viewer(client.base_url) as seen:
            for _ in range(4):
                world.learn(1)
                place = f"{world.store.newest().number}.4.0"
                wait(lambda place=place: place in seen.ids)
        told = client.get("/metrics").text
        assert re.search(r'live_reloads_total\{reason="slow",stream="flights"\} [1-9]', told)
        slow.settimeout(5)
        text = b""
        while b'{"reason":"slow"}' not in text[-300_000:]:
            more = slow.recv(1_000_000)
            assert more, "it ended without a word"
            text += more
    assert seen.of("reload") == []
    assert len(text) < 4 * 20 * 200_000, "not everything was kept for it"


def test_viewers_are_limited_and_a_place_is_free_when_one_leaves(make_world, wait):
    world = make_world(api={"port": 0, "max_live": 2})
    world.learn()
    with world.api() as client:
        with viewer(client.base_url) as one, viewer(client.base_url) as two:
            wait(lambda: one and two)
            refused = client.get(LIVE)
            assert refused.status_code == 503
            assert refused.headers["retry-after"] == "5"
            assert refused.json()["type"] == "urn:riverrun:problem:too_many_viewers"
            assert client.get("/v1/streams/flights").status_code == 200
            told = client.get("/metrics").text
            assert 'riverrun_live_viewers{stream="flights"} 2.0' in told
            assert 'riverrun_live_refused_total{stream="flights"} 1.0' in told

        def is_free():
            with client.stream("GET", LIVE) as answer:
                return answer.status_code == 200

        wait(is_free)


def test_many_viewers_cost_one_look_at_the_store(world, wait, monkeypatch):
    looks = []
    real = hub.collect
    monkeypatch.setattr(hub, "collect", lambda *args: looks.append(args) or real(*args))
    with world.api() as client:
        opened = [viewer(client.base_url, types="prediction") for _ in range(10)]
        seen = [one.__enter__() for one in opened]
        time.sleep(0.3)
        world.learn(5)
        wait(lambda: all(len(one) == 5 for one in seen))
        for one in opened:
            one.__exit__(None, None, None)
    assert len(looks) == 1


def test_heartbeats_come_where_nothing_happens(world, monkeypatch):
    monkeypatch.setattr(hub, "HEARTBEAT_SECONDS", 0.1)
    with world.api() as client, client.stream("GET", f"{LIVE}?types=run") as answer:
        for line in answer.iter_lines():
            if line == ": ping":
                break


@pytest.mark.parametrize("query", ["after=yesterday", "types=weather", "types=", "after=1.9.x"])
def test_a_wrong_query_is_refused(world, query):
    with world.api() as client:
        answer = client.get(f"{LIVE}?{query}")
        assert client.get(LIVE.replace("flights", "trains")).status_code == 404
    assert answer.status_code == 422


@pytest.fixture
def process(watched):
    """The API in a process of its own, with its URL."""
    file = watched.folder / "config.json"
    file.write_text(watched.config.model_dump_json())
    started = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(file)], stdout=subprocess.PIPE, text=True
    )
    try:
        started.url = next(line for line in started.stdout if line.startswith("url ")).split()[1]
        yield started
    finally:
        if started.poll() is None:
            started.kill()
        started.wait()
        started.stdout.close()


def test_open_streams_end_cleanly_when_the_server_stops(process, wait):
    with viewer(process.url) as one, viewer(process.url) as two:
        wait(lambda: one and two)
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
        wait(lambda: one.ended and two.ended)
    assert time.monotonic() - started < 5
    assert process.stdout.read().endswith("done\n")
