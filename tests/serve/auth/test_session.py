"""Browser sessions: the cookie, who may use it from where, and when it ends."""

from __future__ import annotations

import time
from http.cookies import SimpleCookie

import httpx
import pytest

from serve.api.auth.caller import Caller
from serve.api.auth.credentials import COOKIE
from serve.api.auth.keys import KeyRing, StoredKey
from serve.api.auth.roles import Role
from serve.api.auth.session import Sessions

SESSION = "/v1/session"
ROLLBACK = "/v1/streams/flights/rollback"


def signed_in(client: httpx.Client, key: str) -> httpx.Response:
    answer = client.post(SESSION, json={"key": key})
    assert answer.status_code == 200
    return answer


def own(client: httpx.Client) -> str:
    return str(client.base_url).rstrip("/")


def test_a_key_becomes_a_cookie_that_scripts_and_other_sites_do_not_get(guarded):
    with guarded.api() as client:
        answer = signed_in(client, guarded.keys["viewer"])
        assert answer.json()["via"] == "session"
        cookie = SimpleCookie(answer.headers["set-cookie"])[COOKIE]
        assert cookie["httponly"]
        assert cookie["samesite"] == "strict"
        assert not cookie["secure"]
        assert int(cookie["max-age"]) == pytest.approx(12 * 3600, abs=5)
        assert guarded.keys["viewer"] not in cookie.value
        found = client.get(SESSION).json()
        assert (found["name"], found["role"], found["is_open"]) == ("viewer", "viewer", False)
        assert client.get("/v1/streams").status_code == 200
        assert client.delete(SESSION).status_code == 204
        assert client.get(SESSION).status_code == 401


def test_a_wrong_key_signs_nobody_in(guarded):
    with guarded.api() as client:
        answer = client.post(SESSION, json={"key": "rrk_00000000_" + "x" * 43})
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
        for body in (b"{}", b'{"key": 3}', b'{"key": ""}', b"[]", b"{", b'{"key": "a", "b": 1}'):
            assert client.post(SESSION, content=body).status_code in (400, 422)


def test_another_process_knows_the_cookie_too(guarded):
    with guarded.api() as one, guarded.api() as two:
        signed_in(one, guarded.keys["operator"])
        value = one.cookies[COOKIE]
        found = two.get(SESSION, headers={"Cookie": f"other=1; {COOKIE}={value}"})
        assert found.json()["role"] == "operator"


def test_a_session_ends_with_its_key(guarded, wait):
    with guarded.api() as client:
        signed_in(client, guarded.keys["viewer"])
        guarded.revoke(guarded.keys["viewer"])
        wait(lambda: client.get(SESSION).status_code == 401, 3)


def test_a_change_with_a_cookie_needs_a_page_of_ours(guarded):
    with guarded.api() as client:
        signed_in(client, guarded.keys["operator"])
        reason = {"reason": "a test"}
        assert client.post(ROLLBACK, json=reason).status_code == 403
        for origin in ("https://evil.example", "null", "http://127.0.0.1:1", "http://[", ""):
            answer = client.post(ROLLBACK, json=reason, headers={"Origin": origin})
            assert answer.status_code == 403, origin
            assert answer.json()["type"] == "urn:riverrun:problem:cross_origin"
        for headers in ({"Origin": own(client)}, {"X-Requested-With": "dashboard"}):
            assert client.post(ROLLBACK, json=reason, headers=headers).status_code == 409
        assert client.get("/v1/streams", headers={"Origin": "https://evil.example"}).is_success


def test_signing_in_and_out_from_another_site_is_refused(guarded):
    evil = {"Origin": "https://evil.example"}
    with guarded.api() as client:
        body = {"key": guarded.keys["viewer"]}
        assert client.post(SESSION, json=body, headers=evil).status_code == 403
        assert client.delete(SESSION, headers=evil).status_code == 403


def test_a_cookie_that_was_changed_is_nobodys(guarded):
    with guarded.api() as client:
        signed_in(client, guarded.keys["viewer"])
        value = client.cookies[COOKIE]
        client.cookies.clear()
        payload, _, signature = value.partition(".")
        forged = [
            payload,
            f"{payload}.",
            f".{signature}",
            f"{payload}.{signature[:-2]}AA",
            f"{payload[:-3]}BBB.{signature}",
            "x" * 5_000,
            "é.ü",
            "",
        ]
        for one in forged:
            answer = client.get(SESSION, headers=[(b"cookie", f"{COOKIE}={one}".encode("latin-1"))])
            assert answer.status_code == 401, one


def test_a_cookie_is_over_at_its_time_and_under_another_secret():
    key = StoredKey("00000000", "a", Role.VIEWER, "sha256:" + "1" * 64, None)
    ring, now = KeyRing([key]), time.time()
    caller = Caller("a", Role.VIEWER, "key", key.id)
    sessions = Sessions(b"one", 100)
    cookie, until = sessions.begin(caller, key, now)
    assert sessions.check(cookie, ring, now + 99).name == "a"
    assert sessions.check(cookie, ring, until) is None
    assert Sessions(b"two", 100).check(cookie, ring, now) is None
    assert sessions.check(cookie, KeyRing([]), now) is None
    rotated = StoredKey(key.id, "a", Role.VIEWER, "sha256:" + "2" * 64, None)
    assert sessions.check(cookie, KeyRing([rotated]), now) is None


def test_a_token_session_ends_with_the_token_and_the_issuer():
    caller = Caller("anna", Role.PREDICTOR, "oidc", "oidc anna", expires_at=150.0)
    sessions = Sessions(b"one", 100, "issuer audience")
    cookie, until = sessions.begin(caller, None, 100.0)
    assert until == 150
    assert sessions.check(cookie, None, 149.0).role is Role.PREDICTOR
    assert Sessions(b"one", 100, "other").check(cookie, None, 120.0) is None


def test_without_keys_everybody_is_operator_and_pages_of_others_are_refused(world):
    with world.api() as client:
        found = client.get(SESSION).json()
        assert (found["role"], found["via"], found["is_open"]) == ("operator", "open", True)
        assert "open on loopback" in found["note"]
        assert client.post(SESSION, json={"key": "anything"}).json()["role"] == "operator"
        reason = {"reason": "a test"}
        evil = {"Origin": "https://evil.example"}
        assert client.post(ROLLBACK, json=reason, headers=evil).status_code == 403
        assert client.post(ROLLBACK, json=reason).status_code == 409
        same = {"Origin": own(client)}
        assert client.post(ROLLBACK, json=reason, headers=same).status_code == 409
        rebound = {"Host": "evil.example:8000"}
        assert client.get("/v1/streams", headers=rebound).status_code == 403
        assert client.get("/v1/streams", headers={"Host": "localhost:8000"}).status_code == 200
