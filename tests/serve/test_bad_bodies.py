"""Bodies that nobody should send: a clear answer in 4xx, and the next request works."""

from __future__ import annotations

import gzip
import json
import socket
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

BASE = "/v1/streams/flights"
POSTS = [f"{BASE}/predict", f"{BASE}/predict/batch", f"{BASE}/events", f"{BASE}/labels"]


WRAPPED = {
    f"{BASE}/predict": b'{"event": %b}',
    f"{BASE}/predict/batch": b'{"events": [%b]}',
    f"{BASE}/events": b"%b",
    f"{BASE}/labels": b"%b",
}


@pytest.mark.parametrize("path", POSTS)
def test_what_is_not_json_in_utf8_is_a_400(world, path):
    objects = [
        b"{",
        b'{"x": NaN}',
        b'{"x": Infinity}',
        b'{"x": 01}',
        b'{"x": "\n"}',
        b"{'x': 1}",
        b'{"x": "\xff"}',
        b'{"x": "\xed\xa0\x80"}',
        b'{"x": "\\ud800"}',
        b'{"x": ' + b"[" * 100_000,
        b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ]
    wrapped = [WRAPPED[path] % value for value in objects]
    whole = [b"", b" ", b"\x00", b"{} {}", b"\xef\xbb\xbf{}", '{"x": 1}'.encode("utf-16")]
    with world.api() as client:
        for body in wrapped + whole:
            answer = client.post(path, content=body)
            assert answer.status_code == 400 or body == b"{} {}", (body, answer.text)
            assert 400 <= answer.status_code < 500
            assert answer.headers["content-type"] == "application/problem+json"
            assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize("features", [None, ("x",)])
def test_a_value_that_json_allows_and_nobody_can_use_names_its_field(make_world, features):
    world = make_world(event={"features": features})
    world.learn()
    events = {
        b'{"id": "a", "at": 5, "x": 1e999}': "event.x",
        b'{"id": "a", "at": 5, "x": %b}' % (b"9" * 5_000): "event.x",
        b'{"id": "a", "x": 1, "at": %b}' % (b"9" * 400): "event.at",
        b'{"id": "%b", "x": 1, "at": 5}' % (b"i" * 600): "event.id",
    }
    with world.api() as client:
        for event, field in events.items():
            for record in (b"true", b"false"):
                body = b'{"record": %b, "event": %b}' % (record, event)
                answer = client.post(f"{BASE}/predict", content=body)
                assert answer.status_code == 422, answer.text
                assert answer.json()["errors"][0]["field"] == field


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body"),
        ([], "body"),
        ("text", "body"),
        (None, "body"),
        ({"event": {}, "record": 1}, "record"),
        ({"event": {}, "recrod": False}, "body"),
        ({"id": "a", "x": 1.0}, "body"),
    ],
)
def test_json_of_another_shape_names_what_is_wrong(world, body, field):
    with world.api() as client:
        answer = client.post(f"{BASE}/predict", content=json.dumps(body))
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


@pytest.mark.parametrize("key", ["a b", "café", "a/b", "x" * 129, "<b>", "a\n", "", "\u200b"])
def test_an_id_that_no_url_can_carry_is_refused_over_http_and_used_on_the_topic(world, key):
    event = world.event(id=key)
    sent = {
        f"{BASE}/predict": {"event": event},
        f"{BASE}/events": event,
        f"{BASE}/labels": {"id": key, "late": True},
    }
    with world.api() as client:
        for path, body in sent.items():
            answer = client.post(path, json=body)
            assert answer.status_code == 422
            assert answer.json()["type"].endswith("wrong_id")
            assert answer.json()["errors"][0]["field"].endswith("id")
    if key:
        world.append(event)
        assert world.work()["counts"]["predicted"] == 21


@pytest.mark.parametrize("key", ["a", "2013-01-01-UA-1545", "a_b.c:d", "x" * 128, 7, -7])
def test_an_id_that_a_url_can_carry_is_taken(world, key):
    with world.api() as client:
        answer = client.post(f"{BASE}/predict", json={"event": world.event(id=key)})
    assert answer.json()["event_id"] == str(key)


def test_of_a_repeated_key_the_last_counts_as_on_the_topic(world):
    with world.api() as client:
        body = b'{"event": {"id": "a", "id": "b", "at": 5, "x": 1.0}}'
        assert client.post(f"{BASE}/predict", content=body).json()["event_id"] == "b"
    world.work()
    keys = [record.key for record in world.records(world.config.predictions_topic)]
    assert keys[-1] == b"b"


@pytest.mark.parametrize("path", POSTS)
def test_a_body_over_the_limit_is_refused_announced_or_in_chunks(make_world, path):
    world = make_world(api={"max_body_bytes": 1_024})
    world.learn()

    def chunks():
        for _ in range(200):
            yield b" " * 1_000

    with world.api() as client:
        for body in (b" " * 2_000, chunks()):
            answer = client.post(path, content=body)
            assert answer.status_code == 413
            assert "api.max_body_bytes" in answer.json()["detail"]
            assert client.get("/healthz").status_code == 200


def test_an_announced_body_over_the_limit_is_refused_before_it_comes(world):
    with world.api() as client:
        address = urlsplit(str(client.base_url))
        with socket.create_connection((address.hostname, address.port), timeout=5) as raw:
            head = f"POST {BASE}/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n"
            raw.sendall(head.encode())
            assert b" 413 " in raw.recv(100)


def test_a_client_that_leaves_in_the_middle_harms_nobody(world):
    with world.api() as client:
        address = urlsplit(str(client.base_url))
        for _ in range(5):
            with socket.create_connection((address.hostname, address.port), timeout=5) as raw:
                head = f"POST {BASE}/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\n"
                raw.sendall(head.encode() + b'{"event"')
        assert client.post(f"{BASE}/predict", json={"event": world.event()}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "application/json; charset=utf-16"},
        {"content-encoding": "gzip"},
    ],
)
def test_another_content_type_or_encoding_is_a_415_that_says_what_to_send(world, headers):
    with world.api() as client:
        body = gzip.compress(b"{}") if "content-encoding" in headers else b"{}"
        answer = client.post(f"{BASE}/predict", content=body, headers=headers)
    assert answer.status_code == 415
    assert "send" in answer.json()["detail"]


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=UTF-8", "application/vnd.flights+json", ""]
)
def test_json_by_another_name_is_read(world, content_type):
    with world.api() as client:
        body = json.dumps({"event": world.event()})
        headers = {"content-type": content_type}
        assert client.post(f"{BASE}/predict", content=body, headers=headers).status_code == 200


def test_unknown_streams_paths_and_methods_are_problems(world):
    with world.api() as client:
        stream = client.get("/v1/streams/nope")
        path = client.get("/v3/streams")
        method = client.get(f"{BASE}/predict")
    assert (stream.status_code, path.status_code, method.status_code) == (404, 404, 405)
    assert stream.json()["known"] == ["flights"]
    assert "flights" in stream.json()["detail"]
    assert method.headers["allow"] == "POST"
    for answer in (stream, path, method):
        problem = answer.json()
        assert answer.headers["content-type"] == "application/problem+json"
        assert problem["status"] == answer.status_code
        assert problem["request_id"] == answer.headers["x-request-id"]


def test_a_sane_request_id_is_kept_and_another_is_replaced(world):
    with world.api() as client:
        kept = client.get("/nope", headers={"x-request-id": "trace:4f.a-1"})
        assert kept.headers["x-request-id"] == kept.json()["request_id"] == "trace:4f.a-1"
        for bad in ("a b", "x" * 129, "<script>", ""):
            made = client.get("/healthz", headers={"x-request-id": bad}).headers["x-request-id"]
            assert made != bad
            assert len(made) == 32


def test_what_nobody_expected_is_a_500_without_its_traceback(world, monkeypatch):
    stream = world.served()
    with world.api(stream) as client:
        monkeypatch.setattr(stream.reader, "event", None)
        answer = client.post(f"{BASE}/predict", json={"event": world.event()})
        assert answer.status_code == 500
        assert answer.json()["request_id"] == answer.headers["x-request-id"]
        assert "NoneType" not in answer.text
        monkeypatch.undo()
        assert client.post(f"{BASE}/predict", json={"event": world.event()}).status_code == 200


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
names = st.sampled_from(["id", "at", "late", "x", "z", "ü", ""])
events = st.dictionaries(names, values, max_size=5)
requests = st.one_of(
    st.fixed_dictionaries({}, optional={"event": events | values, "record": st.booleans()}),
    st.fixed_dictionaries({}, optional={"events": st.lists(events, max_size=3) | values}),
    events,
    st.lists(events, max_size=3),
    values,
)
bodies = st.binary(max_size=200) | st.builds(
    lambda value, ascii_only: json.dumps(value, ensure_ascii=ascii_only).encode(
        "utf-8", "surrogatepass"
    ),
    requests,
    st.booleans(),
)


INFER = "/v2/models/flights/infer"
datatypes = st.sampled_from(["BOOL", "INT8", "UINT64", "INT64", "FP32", "FP64", "BYTES", "X"])
tensors = st.fixed_dictionaries(
    {
        "name": names,
        "shape": st.lists(st.integers(-1, 3), max_size=3),
        "datatype": datatypes,
        "data": st.lists(values, max_size=3),
    }
)
infers = st.builds(
    lambda inputs, more: json.dumps({"inputs": inputs} | more).encode("utf-8", "surrogatepass"),
    st.lists(tensors, max_size=3),
    st.fixed_dictionaries({}, optional={"id": values, "parameters": values, "outputs": values}),
)


@pytest.fixture
def clients(make_world, wait):
    """Two streams: any features, and declared ones with types; both with a model that answers."""
    with (
        (any_features := make_world()).api() as one,
        (
            declared := make_world(event={"features": ("x", "z"), "types": {"x": "float"}})
        ).api() as two,
    ):
        for world in (any_features, declared):
            world.learn()
        for client in (one, two):
            wait(lambda client=client: client.get("/v2/models/flights/ready").status_code == 200)
        yield [(any_features, one), (declared, two)]


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(body=bodies | infers, path=st.sampled_from([*POSTS, f"{BASE}/explain", INFER]))
def test_no_body_is_ever_a_5xx(clients, body, path):
    for _world, client in clients:
        answer = client.post(path, content=body)
        assert answer.status_code < 500, answer.text
        if answer.status_code >= 400:
            kind = "application/json" if path == INFER else "application/problem+json"
            assert answer.headers["content-type"] == kind


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(lines=st.lists(bodies, max_size=5))
def test_no_lines_break_a_stream(clients, lines):
    for _world, client in clients:
        headers = {"content-type": "application/x-ndjson"}
        answer = client.post(f"{BASE}/predict/batch", content=b"\n".join(lines), headers=headers)
        assert answer.status_code == 200
        wanted = [line for line in b"\n".join(lines).split(b"\n") if line and not line.isspace()]
        assert len(answer.content.splitlines()) == len(wanted)


def test_the_worker_takes_whatever_the_api_let_through(clients):
    """The checks of the API and of the worker are the same ones."""

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(event=events | st.fixed_dictionaries({"id": st.integers(), "at": st.just(5)}))
    def post(event):
        for _, client in clients:
            client.post(f"{BASE}/events", content=json.dumps(event).encode())

    post()
    for world, _ in clients:
        reasons = world.work()["dead_letter_reasons"]
        assert not [reason for reason in reasons if not reason.startswith(("predict", "learn"))]
