"""Limits by key, the headers of every answer, pages of other sites, and HTTPS."""

from __future__ import annotations

import re
import ssl
import subprocess
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.api.app import create_app
from serve.api.auth.limits import Limit
from serve.api.auth.tls import tls_context
from serve.api.run_api import ApiServer
from serve.listening import listen
from stream.errors import ConfigError

WHO = "/v1/session"
PREDICT = "/v1/streams/flights/predict"


@given(
    st.floats(0.1, 100),
    st.integers(1, 20),
    st.lists(st.floats(0, 3), min_size=1, max_size=60),
)
def test_a_limit_is_a_bucket_of_tokens(rate, at_once, pauses):
    limit, tokens, now = Limit(rate, at_once), float(at_once), 1_000.0
    for pause in pauses:
        now += pause
        tokens = min(at_once, tokens + pause * rate)
        verdict = limit.take("a", now)
        if abs(tokens - 1) > 1e-6:  # at the very edge rounding may decide
            assert verdict.allowed == (tokens >= 1)
        if verdict.allowed:
            tokens = max(0.0, tokens - 1)
        else:
            assert verdict.wait == pytest.approx((1 - tokens) / rate, abs=1e-5)
            assert limit.is_spent("a", now) is not None


def test_requests_of_a_key_are_limited_with_headers_that_say_so(guard_world):
    guarded = guard_world(api={"rate": 0.5, "burst": 3})
    with guarded.api("viewer") as client:
        answers = [client.get(WHO) for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
        assert answers[0].headers["ratelimit-policy"] == '"key";q=3;w=6'
        left = [re.match(r'"key";r=(\d+);t=\d+', a.headers["ratelimit"])[1] for a in answers]
        assert left == ["2", "1", "0", "0", "0"]
        refused = answers[-1]
        assert refused.json()["type"].endswith("rate_limited")
        assert 1 <= int(refused.headers["retry-after"]) <= 2
        other = client.get(WHO, headers={"Authorization": f"Bearer {guarded.keys['operator']}"})
        assert other.status_code == 200
        assert client.get("/healthz").status_code == 200


def test_every_answer_says_what_a_browser_may_do_with_it(guarded):
    with guarded.api() as client:
        answers = [
            client.get("/healthz"),
            client.get("/v1/streams"),
            client.get("/nothing/here"),
            client.post(PREDICT, content=b"{", headers={"X-API-Key": guarded.keys["operator"]}),
        ]
    assert [answer.status_code for answer in answers] == [200, 401, 404, 400]
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "strict-transport-security" not in answer.headers
        assert "server" not in answer.headers


ASKED = {
    "Origin": "https://shop.example",
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type",
}


def test_pages_of_other_sites_get_nothing_unless_they_are_named(guard_world):
    for origins in ([], ["https://other.example"]):
        guarded = guard_world(api={"cors_origins": origins})
        with guarded.api() as client:
            answer = client.options(PREDICT, headers=ASKED)
            assert "access-control-allow-origin" not in answer.headers
            plain = client.get("/healthz", headers={"Origin": "https://shop.example"})
            assert "access-control-allow-origin" not in plain.headers


def test_named_pages_may_call_with_a_key_and_never_with_the_cookie(guard_world):
    guarded = guard_world(api={"cors_origins": ["https://shop.example"]})
    origin = {"Origin": "https://shop.example"}
    with guarded.api() as client:
        answer = client.options(PREDICT, headers=ASKED)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == "https://shop.example"
        assert "POST" in answer.headers["access-control-allow-methods"]
        assert "access-control-allow-credentials" not in answer.headers
        question = {"event": {"x": 1.0, "z": 1.0}, "record": False}
        key = {"Authorization": f"Bearer {guarded.keys['predictor']}"}
        answer = client.post(PREDICT, json=question, headers=origin | key)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == "https://shop.example"
        assert "X-Request-ID" in answer.headers["access-control-expose-headers"]
        refused = client.get("/v1/streams", headers=origin)
        assert refused.status_code == 401
        assert refused.headers["access-control-allow-origin"] == "https://shop.example"
        client.post(WHO, json={"key": guarded.keys["operator"]})
        answer = client.post(PREDICT, json=question, headers=origin)
        assert answer.status_code == 403


@pytest.fixture(scope="module")
def pair(tmp_path_factory) -> tuple[Path, Path]:
    """A certificate of this machine and its key."""
    return made_pair(tmp_path_factory.mktemp("tls"))


def made_pair(folder: Path, *more: str) -> tuple[Path, Path]:
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-days", "2"),
            *(more or ("-nodes",)),
            *("-keyout", str(key), "-out", str(cert), "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )
    return cert, key


def test_https_is_served_with_its_headers_and_a_secure_cookie(guard_world, pair):
    cert, key = pair
    guarded = guard_world(api={"tls_cert": str(cert), "tls_key": str(key)})
    from threading import Thread

    stops: list[bool] = []
    app = create_app([guarded.world.served()], access=guarded.access())
    tls = tls_context(guarded.world.config.api)
    listener = listen("127.0.0.1", 0)
    server = ApiServer(app, listener, should_stop=lambda: bool(stops), tls=tls)
    thread = Thread(target=server.run)
    thread.start()
    try:
        assert server.url.startswith("https://127.0.0.1:")
        trust = ssl.create_default_context(cafile=str(cert))
        with httpx.Client(base_url=server.url, verify=trust) as client:
            answer = client.post(WHO, json={"key": guarded.keys["viewer"]})
            assert answer.status_code == 200
            assert "; Secure" in answer.headers["set-cookie"]
            assert answer.headers["strict-transport-security"] == "max-age=31536000"
            assert client.get(WHO).json()["role"] == "viewer"
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"{server.url.replace('https', 'http')}/healthz")
    finally:
        stops.append(True)
        thread.join(20)


def test_a_certificate_that_cannot_serve_is_named_with_the_reason(make_world, pair, tmp_path):
    cert, key = pair
    other, other_key = made_pair(tmp_path)
    locked = tmp_path / "locked"
    locked.mkdir()
    locked_cert, locked_key = made_pair(locked, "-passout", "pass:secret")
    junk = tmp_path / "junk.pem"
    junk.write_text("no PEM")
    cases = [
        (cert, tmp_path / "missing.pem", "api.tls_key"),
        (tmp_path / "missing.pem", key, "api.tls_cert"),
        (cert, other_key, "is expected, and this is not"),
        (locked_cert, locked_key, "without password"),
        (junk, key, "PEM"),
    ]
    assert other
    for one, two, said in cases:
        config = make_world(api={"tls_cert": str(one), "tls_key": str(two)}).config
        with pytest.raises(ConfigError, match=said):
            tls_context(config.api)
