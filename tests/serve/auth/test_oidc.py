"""Tokens of a real little issuer: those that count, and every way in which they do not."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Iterator
from hashlib import sha256

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from serve.api.auth import jwks
from tests.serve.auth.issuer import Issuer

WHO = "/v1/session"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def raw(head: dict, claims: dict, signature: bytes = b"") -> str:
    parts = [json.dumps(head).encode(), json.dumps(claims).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    made = Issuer()
    yield made
    made.stop()


@pytest.fixture
def guarded(guard_world, issuer):
    """An API that believes the issuer, and has keys, too."""
    return guard_world(
        oidc={
            "issuer": issuer.url,
            "audience": "riverrun",
            "viewer": ["ml-viewers"],
            "operator": ["ml-ops"],
            "leeway": "5s",
        },
        api={"failures": 1000},
    )


def test_a_token_names_its_subject_and_gives_its_role(guarded, issuer):
    with guarded.api() as client:
        found = client.get(WHO, headers=bearer(issuer.token())).json()
        assert (found["name"], found["role"], found["via"]) == ("anna", "viewer", "oidc")
        assert found["expires_at"]
        both = issuer.token(roles=["ml-viewers", "ml-ops"], aud=["other", "riverrun"])
        assert client.get(WHO, headers=bearer(both)).json()["role"] == "operator"
        assert client.get(WHO, headers=bearer(guarded.keys["viewer"])).json()["via"] == "key"
    assert len(issuer.requests) == 2  # discovery and keys, once


def test_elliptic_curves_sign_too(guarded, issuer):
    issuer.add_ec("curve")
    with guarded.api() as client:
        assert client.get(WHO, headers=bearer(issuer.token("curve", "ES256"))).status_code == 200


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"exp": int(time.time()) - 60}, "over"),
        ({"exp": None}, "exp"),
        ({"aud": "another"}, "udience"),
        ({"aud": None}, "aud"),
        ({"iss": "https://evil.example"}, "ssuer"),
        ({"iss": None}, "iss"),
        ({"nbf": int(time.time()) + 86_400}, "not yet valid"),
        ({"sub": None}, "sub"),
        ({"sub": ""}, "sub"),
    ],
)
def test_a_token_of_another_time_place_or_person_does_not_count(guarded, issuer, claims, said):
    with guarded.api() as client:
        answer = client.get(WHO, headers=bearer(issuer.token(**claims)))
        assert answer.status_code == 401
        assert said in answer.json()["detail"]
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]


def test_clocks_may_be_a_little_apart(guarded, issuer):
    with guarded.api() as client:
        late = issuer.token(exp=int(time.time()) - 2)
        assert client.get(WHO, headers=bearer(late)).status_code == 200


def test_other_signatures_are_refused_whatever_the_token_says(guarded, issuer):
    now = int(time.time())
    claims = {"iss": issuer.url, "aud": "riverrun", "sub": "eve", "exp": now + 300}
    claims["roles"] = ["ml-ops"]
    public = issuer.keys["one"].public_key()
    pem = public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    signing = raw({"alg": "HS256", "kid": "one"}, claims).rpartition(".")[0]
    by_public = hmac.new(pem, signing.encode(), sha256).digest()
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    good = issuer.token()
    head, payload, signature = good.split(".")
    forged = json.dumps(claims).encode()
    tokens = {
        "none": raw({"alg": "none", "kid": "one"}, claims),
        "None": raw({"alg": "None", "typ": "JWT"}, claims),
        "no alg": raw({"kid": "one"}, claims, b"x"),
        "public key as a password": raw({"alg": "HS256", "kid": "one"}, claims, by_public),
        "RS512 by the right key": issuer.token(algorithm="RS512"),
        "ES256 by an RSA key": raw({"alg": "ES256", "kid": "one"}, claims, b"x" * 64),
        "another key": jwt.encode(claims, stranger, "RS256", headers={"kid": "one"}),
        "unknown kid": jwt.encode(claims, stranger, "RS256", headers={"kid": "two"}),
        "changed claims": f"{head}.{base64.urlsafe_b64encode(forged).decode()}.{signature}",
        "no signature": f"{head}.{payload}.",
        "jku": raw({"alg": "RS256", "jku": "http://evil", "kid": "x"}, claims, b"x"),
        "critical extension": jwt.encode(
            claims | {"sub": "anna"}, issuer.keys["one"], "RS256", {"kid": "one", "crit": ["x"]}
        ),
        "not JSON": "a.b.c",
        "empty": "..",
        "long": f"{head}.{'A' * 9_000}.{signature}",
    }
    with guarded.api() as client:
        for name, token in tokens.items():
            answer = client.get(WHO, headers=bearer(token))
            assert answer.status_code == 401, name
            assert answer.json()["type"].endswith("credentials_invalid"), name
        assert client.get(WHO, headers=bearer(good)).status_code == 200


def test_a_right_token_without_a_role_is_told_which_claim(guarded, issuer):
    with guarded.api() as client:
        for roles in (["accounting"], [], "nothing", 7, {"ml-ops": True}, None):
            answer = client.get(WHO, headers=bearer(issuer.token(roles=roles)))
            assert answer.status_code == 403, roles
            assert "'roles'" in answer.json()["detail"]


def test_keys_that_the_issuer_changes_are_fetched_when_they_are_needed(
    guarded, issuer, monkeypatch
):
    monkeypatch.setattr(jwks, "AGAIN_SECONDS", 0.0)
    with guarded.api() as client:
        old = issuer.token()
        assert client.get(WHO, headers=bearer(old)).status_code == 200
        issuer.keys.clear()
        issuer.add_rsa("two")
        assert client.get(WHO, headers=bearer(issuer.token("two"))).status_code == 200
        assert client.get(WHO, headers=bearer(old)).status_code == 401


def test_unknown_ids_lead_to_one_request_and_no_more(guarded, issuer):
    with guarded.api() as client:
        assert client.get(WHO, headers=bearer(issuer.token())).status_code == 200
        asked = len(issuer.requests)
        issuer.add_rsa("new")
        for number in range(20):
            issuer.keys[f"wrong{number}"] = issuer.keys["new"]
            token = issuer.token(f"wrong{number}")
            del issuer.keys[f"wrong{number}"]
            assert client.get(WHO, headers=bearer(token)).status_code == 401
        assert len(issuer.requests) <= asked + 1


def test_an_issuer_that_is_down_is_said_and_keys_go_on(guarded, issuer, monkeypatch):
    monkeypatch.setattr(jwks, "AGAIN_SECONDS", 0.0)
    issuer.down = True
    with guarded.api() as client:
        answer = client.get(WHO, headers=bearer(issuer.token()))
        assert answer.status_code == 503
        assert answer.json()["type"].endswith("issuer_unreachable")
        assert answer.headers["retry-after"]
        assert client.get(WHO, headers=bearer(guarded.keys["viewer"])).status_code == 200
        issuer.down = False
        assert client.get(WHO, headers=bearer(issuer.token())).status_code == 200
        issuer.down = True
        later = issuer.token(sub="bert")
        assert client.get(WHO, headers=bearer(later)).json()["name"] == "bert"
        monkeypatch.setattr(jwks, "FRESH_SECONDS", -1.0)
        monkeypatch.setattr(jwks, "KEPT_SECONDS", -1.0)
        assert client.get(WHO, headers=bearer(issuer.token(sub="carl"))).status_code == 503


def test_a_discovery_of_another_issuer_is_not_believed(guarded, issuer):
    issuer.discovery = {"issuer": "https://evil.example"}
    with guarded.api() as client:
        answer = client.get(WHO, headers=bearer(issuer.token()))
        assert answer.status_code == 503
        assert "oidc.issuer" in answer.json()["detail"]


def test_a_token_signs_a_browser_in_until_it_is_over(guarded, issuer):
    with guarded.api() as client:
        ends = int(time.time()) + 200
        answer = client.post(WHO, json={"key": issuer.token(exp=ends)})
        assert answer.status_code == 200
        assert int(answer.headers["set-cookie"].split("Max-Age=")[1].split(";")[0]) <= 200
        assert client.get(WHO).json()["name"] == "anna"


def test_wrong_tokens_are_limited_by_address_before_their_signature_is_checked(guard_world, issuer):
    guarded = guard_world(
        oidc={"issuer": issuer.url, "audience": "riverrun", "viewer": ["ml-viewers"]},
        api={"failures": 3},
    )
    with guarded.api() as client:
        wrong = bearer(issuer.token(aud="another"))
        statuses = [client.get(WHO, headers=wrong).status_code for _ in range(5)]
        assert statuses == [401, 401, 401, 429, 429]
