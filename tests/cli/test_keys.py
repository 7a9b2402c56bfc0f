"""``riverrun keys``: made once, listed, followed, taken away; and each change is written down."""

from __future__ import annotations

import json
import re

import pytest

from serve.api.auth.key_file import read_keys
from serve.api.auth.keys import hash_of
from stream.storage.store import Store


@pytest.fixture
def with_file(config):
    config.write_text(config.read_text() + '\n[api]\nkeys_file = "keys.toml"\n')
    return config


def made(invoke, *arguments) -> dict:
    result = invoke("keys", *arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_a_key_is_printed_once_and_kept_as_its_hash(with_file, here, invoke):
    result = invoke("keys", "add", "ops", "--role", "operator")
    assert result.exit_code == 0
    key = result.stdout.strip()
    assert re.fullmatch(r"rrk_[0-9a-f]{8}_[A-Za-z0-9_-]{43}", key)
    (row,) = read_keys(here / "keys.toml")
    assert (row.name, row.role.label, row.hash) == ("ops", "operator", hash_of(key))
    assert key not in (here / "keys.toml").read_text()
    assert key not in invoke("keys", "list").stdout


def test_list_shows_whose_keys_they_are_and_which_are_over(with_file, invoke):
    assert json.loads(invoke("keys", "list", "--json").stdout or "{}") == {}
    made(invoke, "add", "app", "--role", "predictor", "--expires", "90d")
    made(invoke, "add", "app", "--role", "predictor")
    shown = json.loads(invoke("keys", "list", "--json").stdout)["keys"]
    assert [key["name"] for key in shown] == ["app", "app"]
    assert shown[0]["expires"]
    assert shown[1]["expires"] is None
    assert "app" in invoke("keys", "list").stdout


def test_a_rotated_key_goes_on_for_its_grace(with_file, here, invoke):
    old = made(invoke, "add", "app", "--role", "viewer")
    new = made(invoke, "rotate", "app", "--grace", "1h")
    assert new["key"] != old["key"]
    assert new["role"] == "viewer"
    first, second = read_keys(here / "keys.toml")
    assert first.id == old["id"]
    assert first.expires is not None
    assert second.expires is None
    two = invoke("keys", "rotate", "app")
    assert two.exit_code == 2
    assert "name one by its id" in two.stderr
    made(invoke, "rotate", new["id"], "--grace", "0s")
    assert new["id"] not in {key.id for key in read_keys(here / "keys.toml")}


def test_revoking_a_name_takes_all_of_its_keys(with_file, here, invoke):
    for name in ("app", "app", "other"):
        made(invoke, "add", name, "--role", "viewer")
    assert len(made(invoke, "revoke", "app")["revoked"]) == 2
    assert [key.name for key in read_keys(here / "keys.toml")] == ["other"]


def test_each_change_stands_in_the_audit(with_file, here, invoke):
    key = made(invoke, "add", "app", "--role", "viewer", "--reason", "the new shop")
    made(invoke, "rotate", "app", "--grace", "0s")
    made(invoke, "revoke", "app", "--reason", "it was in a log")
    store = Store(f"sqlite:///{here / 'riverrun.db'}", "s")
    rows = store.audit.entries(10)
    store.close()
    assert [row["action"] for row in rows] == ["key_revoke", "key_rotate", "key_add"]
    assert rows[2]["reason"] == "the new shop"
    assert rows[2]["detail"] == {"key": key["id"], "name": "app", "role": "viewer"}
    assert rows[0]["via"] == "cli"
    assert rows[0]["by"]
    assert key["key"] not in str(rows)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["add", "app", "--role", "admin"], "viewer, predictor, operator"),
        (["add", "a b", "--role", "viewer"], "letters, digits"),
        (["add", "app", "--role", "viewer", "--expires", "soon"], "--expires"),
        (["add", "app", "--role", "viewer", "--expires", "2020-01-01"], "over already"),
        (["add", "app", "--role", "viewer", "--expires", "99999999999d"], "--expires"),
        (["revoke", "nobody"], "no key 'nobody'"),
        (["rotate", "nobody"], "no key 'nobody'"),
        (["rotate", "there", "--grace", "long"], "--grace"),
    ],
)
def test_mistakes_are_one_line(with_file, invoke, arguments, said):
    made(invoke, "add", "there", "--role", "viewer")
    result = invoke("keys", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr


def test_without_a_file_it_says_what_to_configure(config, invoke):
    for arguments in (["list"], ["add", "a", "--role", "viewer"], ["revoke", "a"]):
        result = invoke("keys", *arguments)
        assert result.exit_code == 2
        assert 'keys_file = "keys.toml"' in result.stderr


def test_check_says_who_may_use_the_api(with_file, here, invoke):
    assert "no such file" in invoke("check").stdout.replace("\n", " ")
    made(invoke, "add", "app", "--role", "viewer")
    assert "1 key; HTTP" in invoke("check").stdout


def test_check_refuses_to_be_open_to_the_network(config, invoke):
    config.write_text(config.read_text() + '\n[api]\nhost = "0.0.0.0"\n')
    result = invoke("check")
    assert result.exit_code == 2
    assert "RIVERRUN_API_OPERATOR_KEY" in result.stdout
    result = invoke("api")
    assert result.exit_code == 2
    assert "RIVERRUN_API_OPERATOR_KEY" in result.stderr
