"""Keys: what is kept of them, how they come and go while the API runs, and wrong ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from serve.api.auth.key_file import KeyFileError, read_keys, write_keys
from serve.api.auth.key_watch import KeyWatch
from serve.api.auth.keys import KeyRing, StoredKey, hash_of, new_key
from serve.api.auth.roles import Role

WHO = "/v1/session"


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def row(key: str, key_id: str, **more) -> StoredKey:
    return StoredKey(key_id, "app", Role.VIEWER, hash_of(key), datetime.now(UTC), **more)


def test_a_key_is_found_by_itself_alone():
    key, key_id = new_key()
    ring = KeyRing([row(key, key_id)])
    assert ring.find(key).name == "app"
    other, _ = new_key()
    same_id = f"rrk_{key_id}_{other.rpartition('_')[2][-43:]}"
    for wrong in (other, same_id, key + "x", key[:-1], key.upper(), "", "rrk_", "x" * 10_000, "é"):
        assert ring.find(wrong) is None


def test_keys_have_256_random_bits_and_the_file_holds_none_of_them(guarded):
    key = guarded.keys["operator"]
    assert len(key.removeprefix("rrk_")[9:]) == 43
    text = guarded.file.read_text()
    assert key not in text
    assert key.removeprefix("rrk_")[9:] not in text
    assert oct(guarded.file.stat().st_mode)[-3:] == "600"


def test_both_headers_name_the_caller(guarded):
    with guarded.api() as client:
        for headers in (bearer(guarded.keys["viewer"]), {"x-api-key": guarded.keys["viewer"]}):
            found = client.get(WHO, headers=headers).json()
            assert (found["name"], found["role"], found["via"]) == ("viewer", "viewer", "key")


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        (bearer("rrk_00000000_" + "x" * 43), "credentials_invalid"),
        ({"Authorization": "Basic dXNlcjpwYXNz"}, "credentials_invalid"),
        ({"Authorization": "Bearer"}, "credentials_invalid"),
        ({"X-API-Key": "'; drop table keys"}, "credentials_invalid"),
        ({"X-API-Key": b"\xff\xfe"}, "credentials_invalid"),
        ({"Authorization": "Bearer a.b.c"}, "credentials_invalid"),
        ({"Authorization": "Bearer " + "x" * 9_000}, "credentials_invalid"),
        ({}, "credentials_missing"),
    ],
)
def test_wrong_credentials_are_a_problem_that_says_so(guarded, headers, kind):
    with guarded.api() as client:
        answer = client.get(WHO, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["type"] == f"urn:riverrun:problem:{kind}"
        assert answer.headers["www-authenticate"].startswith('Bearer realm="riverrun"')
        assert client.get(WHO, headers=bearer(guarded.keys["viewer"])).status_code == 200


def test_keys_come_and_go_while_the_api_runs(guarded, wait):
    with guarded.api() as client:
        key = guarded.add("late", Role.VIEWER)
        wait(lambda: client.get(WHO, headers=bearer(key)).status_code == 200, 3)
        second = guarded.add("late", Role.PREDICTOR)
        wait(lambda: client.get(WHO, headers=bearer(second)).status_code == 200, 3)
        assert client.get(WHO, headers=bearer(key)).json()["role"] == "viewer"
        guarded.revoke(key)
        wait(lambda: client.get(WHO, headers=bearer(key)).status_code == 401, 3)
        assert client.get(WHO, headers=bearer(second)).status_code == 200


def test_a_key_ends_at_its_time(guarded, wait):
    soon = datetime.now(UTC) + timedelta(seconds=1.5)
    key = guarded.add("short", Role.VIEWER, soon)
    with guarded.api() as client:
        assert client.get(WHO, headers=bearer(key)).json()["expires_at"]
        wait(lambda: client.get(WHO, headers=bearer(key)).status_code == 401, 5)
        answer = client.get(WHO, headers=bearer(key)).json()
        assert answer["type"] == "urn:riverrun:problem:credentials_expired"


def test_a_file_that_breaks_leaves_the_keys_as_they_were(guarded, wait):
    with guarded.api() as client:
        good = guarded.file.read_text()
        guarded.file.write_text("keys = 3")
        metric = "riverrun_keys_current 0.0"
        viewer = bearer(guarded.keys["viewer"])
        wait(lambda: metric in client.get("/metrics", headers=viewer).text, 3)
        guarded.file.write_text(good)
        wait(lambda: metric not in client.get("/metrics", headers=viewer).text, 3)


def test_a_file_without_keys_lets_nobody_in(guarded):
    write_keys(guarded.file, [])
    with guarded.api() as client:
        assert client.get("/v1/streams").status_code == 401
        assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    "text",
    [
        "[[keys]]\n",
        "keys = 3\n",
        "[[keys]]\nid = 'x'\n",
        "other = 1\n",
        "[[keys]]\nid='00000000'\nname='a'\nrole='admin'\nhash='sha256:" + "0" * 64 + "'\n",
        "[[keys]]\nid='00000000'\nname='a'\nrole='viewer'\nhash='plain'\ncreated=2026-01-01\n",
        "\x00",
    ],
)
def test_a_file_that_is_none_is_named_with_what_is_wrong(tmp_path, text):
    path = tmp_path / "keys.toml"
    path.write_text(text)
    with pytest.raises(KeyFileError, match=r"keys\.toml"):
        read_keys(path)
    with pytest.raises(KeyFileError):
        KeyWatch(path)


def test_what_is_written_is_read_back(tmp_path):
    path = tmp_path / "keys.toml"
    key, key_id = new_key()
    made = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    rows = [
        StoredKey(key_id, "a.b-c_d", Role.OPERATOR, hash_of(key), made, made + timedelta(days=9))
    ]
    write_keys(path, rows)
    assert read_keys(path) == rows


def test_failed_tries_are_counted_and_limited_by_address(guard_world):
    guarded = guard_world(api={"failures": 5})
    with guarded.api() as client:
        wrong = bearer("rrk_00000000_" + "x" * 43)
        statuses = [client.get(WHO, headers=wrong).status_code for _ in range(8)]
        assert statuses == [401] * 5 + [429] * 3
        answer = client.get(WHO, headers=wrong)
        assert answer.json()["type"] == "urn:riverrun:problem:too_many_failures"
        assert int(answer.headers["retry-after"]) >= 1
        good = bearer(guarded.keys["viewer"])
        text = client.get("/metrics", headers=good).text  # who has a key is not locked out
        assert 'riverrun_refused_total{reason="unknown"} 5.0' in text
        assert 'riverrun_refused_total{reason="failures"} 4.0' in text
