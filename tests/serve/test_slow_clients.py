"""Clients that are slow, silent, half closed, many, or no HTTP; and the next request works."""

from __future__ import annotations

import gzip
import json
import resource
import socket
import time
from urllib.parse import urlsplit

import pytest

from serve.api.connection import MAX_HEAD_BYTES

PREDICT = "/v1/streams/flights/predict"
HEAD = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
QUESTION = b'{"event": {"x": 1.0}, "record": false}'


@pytest.fixture
def impatient(make_world):
    """A stream whose API waits for 300 ms, and a client."""
    world = make_world(api={"body_timeout": 300})
    world.learn()
    with world.api() as client:
        yield client
        assert client.post(PREDICT, content=QUESTION).status_code == 200


def connect(client) -> socket.socket:
    address = urlsplit(str(client.base_url))
    return socket.create_connection((address.hostname, address.port), timeout=10)


def everything(connection: socket.socket) -> bytes:
    """Return what comes until the server closes."""
    found = b""
    try:
        while data := connection.recv(65_536):
            found += data
    except ConnectionResetError:
        pass
    return found


def problem_in(said: bytes) -> dict:
    head, _, body = said.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head, said
    return json.loads(body)


def test_a_connection_that_asks_nothing_is_closed(impatient):
    with connect(impatient) as connection:
        started = time.monotonic()
        assert everything(connection) == b""
        assert 0.2 < time.monotonic() - started < 5


def test_a_head_that_drips_is_a_408(impatient):
    with connect(impatient) as connection:
        for byte in HEAD.encode():
            try:
                connection.sendall(bytes([byte]))
            except OSError:
                break
            time.sleep(0.02)
        assert problem_in(everything(connection))["status"] == 408


def test_so_is_the_second_head_on_a_connection(impatient):
    with connect(impatient) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /hea")
        said = everything(connection)
    assert b"200 OK" in said
    assert b"408 Request Timeout" in said


@pytest.mark.parametrize("framing", ["Content-Length: 38", "Transfer-Encoding: chunked"])
def test_a_body_that_drips_is_a_408_whatever_it_drips(impatient, framing):
    with connect(impatient) as connection:
        connection.sendall(f"{HEAD}{framing}\r\n\r\n".encode())
        started = time.monotonic()
        for byte in QUESTION[:-1]:
            part = bytes([byte])
            try:
                connection.sendall(b"1\r\n%b\r\n" % part if "chunked" in framing else part)
            except OSError:
                break
            time.sleep(0.02)
        problem = problem_in(everything(connection))
    assert (problem["status"], problem["errors"][0]["field"]) == (408, "body")
    assert time.monotonic() - started < 5


def test_a_client_that_closes_its_half_after_the_request_gets_the_answer(impatient):
    with connect(impatient) as connection:
        connection.sendall(f"{HEAD}Content-Length: {len(QUESTION)}\r\n\r\n".encode() + QUESTION)
        connection.shutdown(socket.SHUT_WR)
        said = everything(connection)
    assert b"200 OK" in said
    assert b'"prediction"' in said


def test_a_client_that_closes_its_half_within_the_body_gets_a_400(impatient):
    with connect(impatient) as connection:
        connection.sendall(f"{HEAD}Content-Length: 99\r\n\r\n".encode() + b'{"event"')
        connection.shutdown(socket.SHUT_WR)
        assert problem_in(everything(connection))["type"].endswith("incomplete_request")


def test_headers_without_end_are_a_431(impatient):
    with connect(impatient) as connection:
        connection.sendall(HEAD.encode() + b"X-Long: ")
        try:
            for _ in range(2 * MAX_HEAD_BYTES // 4_096):
                connection.sendall(b"x" * 4_096)
        except OSError:
            pass
        assert b"431" in everything(connection)[:20]


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"HELO mail\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /\x00 HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_no_http_is_a_400(impatient, sent):
    with connect(impatient) as connection:
        connection.sendall(sent)
        said = everything(connection)
    assert said.startswith(b"HTTP/1.1 4")
    assert problem_in(said)["status"] in (400, 404, 405, 408)


def test_a_gzip_bomb_is_refused_before_it_is_unfolded(impatient):
    bomb = gzip.compress(b" " * 200_000_000)
    assert len(bomb) < 1_000_000
    for path in (PREDICT, f"{PREDICT}/batch", "/v1/streams/flights/explain"):
        answer = impatient.post(path, content=bomb, headers={"content-encoding": "gzip"})
        assert answer.status_code == 415
        assert answer.json()["errors"][0]["field"] == "header.content-encoding"


def test_hundreds_of_idle_connections_keep_nobody_from_an_answer(world):
    wanted = 600
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 4 * wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4 * wanted), hard))
    with world.api() as client:
        idle = [connect(client) for _ in range(wanted)]
        try:
            started = time.monotonic()
            for _ in range(20):
                assert client.post(PREDICT, content=QUESTION).status_code == 200
            assert time.monotonic() - started < 5
            idle[0].sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"200 OK" in idle[0].recv(1_000)
        finally:
            for connection in idle:
                connection.close()
        assert client.get("/healthz").status_code == 200


def test_the_kept_connection_of_a_patient_client_is_not_cut_within_a_request(make_world):
    world = make_world(
        model={"pipeline": "ensemble.SRPClassifier(n_models=5)"},
        api={"body_timeout": 100, "explain_ms": 500},
    )
    world.learn(30)
    with world.api() as client:
        answer = client.post("/v1/streams/flights/explain", json={"event": {"x": 1.0}}, timeout=20)
    assert answer.status_code == 200
