"""Where an API may listen: without keys on this machine alone."""

from __future__ import annotations

import socket

import pytest

from serve.api.auth.open_access import (
    OpenToNetworkError,
    fixed_keys,
    is_loopback,
    refuse_open_network,
)
from serve.api.run_api import run_api
from serve.compose import Secrets, read_secrets
from stream.errors import ConfigError

GOOD = "k" * 40


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "10.1.2.3", "no-such-name.invalid"])
def test_without_keys_nothing_but_loopback_is_listened_on(make_world, host):
    config = make_world(api={"host": host}).config
    with pytest.raises(OpenToNetworkError, match="riverrun keys add") as caught:
        run_api(config, Secrets())
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_is_loopback(host):
    if host == "::1" and not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    assert is_loopback(host)


def test_keys_of_a_file_the_environment_or_an_issuer_open_the_network(make_world):
    anywhere = {"host": "0.0.0.0"}
    refuse_open_network(make_world(api=anywhere | {"keys_file": "keys.toml"}).config, {})
    refuse_open_network(make_world(api=anywhere).config, {"operator": GOOD})
    oidc = {"issuer": "https://id.example", "audience": "riverrun", "viewer": ["staff"]}
    refuse_open_network(make_world(api=anywhere, oidc=oidc).config, {})


def test_keys_of_the_environment_are_long_and_have_their_role(tmp_path):
    (tmp_path / "key").write_text(f"{GOOD}\n")
    environ = {"RIVERRUN_API_VIEWER_KEY": GOOD, "RIVERRUN_API_OPERATOR_KEY_FILE": f"{tmp_path}/key"}
    secrets = read_secrets(environ)
    assert secrets.api_keys == {"viewer": GOOD, "operator": GOOD}
    assert GOOD not in repr(secrets)
    assert [key.role.label for key in fixed_keys(secrets.api_keys)] == ["viewer", "operator"]
    for bad in ("short", "with a space in it, and long enough", "é" * 40):
        with pytest.raises(ConfigError, match="RIVERRUN_API_VIEWER_KEY"):
            fixed_keys({"viewer": bad})
