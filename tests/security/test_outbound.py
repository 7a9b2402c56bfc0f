"""What riverrun sends goes where the configuration says, and never where a cloud keeps secrets."""

from __future__ import annotations

import ast
import socket
from pathlib import Path

import pytest

import stream.egress
from serve.api.auth.jwks import IssuerUnreachableError, PublicKeys, fetch_json
from serve.notify.post import Poster
from serve.notify.receiver import UndeliveredError
from stream.destinations import why_forbidden
from stream.errors import InputError
from stream.logs.kafka_tokens import client_credentials
from tests.lines import make_config

ROOT = Path(__file__).parents[2]

METADATA = [
    "169.254.169.254",
    "169.254.170.2",
    "100.100.100.200",
    "192.0.0.192",
    "fe80::1",
    "fe80::1%eth0",
    "fd00:ec2::254",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "0.0.0.0",
    "::",
    "224.0.0.1",
    "255.255.255.255",
]


@pytest.mark.parametrize("address", METADATA)
def test_addresses_of_metadata_and_of_nobody_are_forbidden(address):
    assert why_forbidden(address)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.0.0.7", "192.168.1.1", "1.1.1.1"])
def test_others_are_not(address):
    assert why_forbidden(address) is None


@pytest.mark.parametrize("url", ["http://169.254.169.254/latest", "https://[fe80::1]/x"])
@pytest.mark.parametrize(
    ("section", "key"),
    [("alerts", "webhook"), ("alerts", "alertmanager"), ("mlflow", "tracking_uri")],
)
def test_the_configuration_may_not_name_them(url, section, key):
    with pytest.raises(Exception, match="nothing is sent to"):
        make_config(**{section: {key: url}})


def test_an_issuer_may_not_be_there_either():
    oidc = {"audience": "riverrun", "viewer": ["x"]}
    with pytest.raises(Exception, match="nothing is sent to"):
        make_config(oidc=oidc | {"issuer": "https://169.254.169.254"})
    with pytest.raises(Exception, match="nothing is sent to"):
        make_config(
            oidc=oidc | {"issuer": "https://id.example", "jwks_url": "https://[fe80::1]/keys"}
        )


@pytest.mark.parametrize("scheme", ["file", "ftp", "gopher", "data", "unix", "dict", "HTTPS+unix"])
@pytest.mark.parametrize("key", ["webhook", "alertmanager"])
def test_other_schemes_are_a_mistake_of_the_configuration(scheme, key):
    with pytest.raises(Exception, match=rf"alerts\.{key}"):
        make_config(alerts={key: f"{scheme}://127.0.0.1/etc/passwd"})


def named(monkeypatch, *addresses: str) -> None:
    """Let every name lead to these addresses."""

    def look_up(_host, port, *_args, **_options):
        return [
            (
                socket.AF_INET6 if ":" in address else socket.AF_INET,
                socket.SOCK_STREAM,
                6,
                "",
                (address, port),
            )
            for address in addresses
        ]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


@pytest.mark.parametrize("address", ["169.254.169.254", "::ffff:169.254.169.254"])
def test_a_name_that_leads_there_is_not_connected_to(monkeypatch, address):
    named(monkeypatch, address)

    def connect(*_args, **_options):
        raise AssertionError("it connected")

    monkeypatch.setattr(socket.socket, "connect", connect)
    poster = Poster("http://hooks.example/secret-path", 5.0, "Bearer abc")
    with pytest.raises(UndeliveredError, match=r"nothing is sent to hooks\.example") as caught:
        poster.post(b"{}")
    assert "secret-path" not in str(caught.value)
    with pytest.raises(IssuerUnreachableError, match="nothing is sent to"):
        fetch_json("http://id.example/.well-known/openid-configuration")


def test_tokens_for_kafka_are_not_asked_for_there(monkeypatch):
    with pytest.raises(InputError, match="nothing is sent to"):
        client_credentials("https://169.254.169.254/token", "me", "secret", None, None)
    named(monkeypatch, "169.254.169.254")
    fetch = client_credentials("https://id.example/token", "me", "secret", None, None)
    with pytest.raises(Exception, match=r"cannot be reached \(ForbiddenAddressError\)"):
        fetch()


def test_one_forbidden_address_among_several_is_enough(monkeypatch, listener):
    named(monkeypatch, "127.0.0.1", "169.254.169.254")
    with pytest.raises(UndeliveredError, match="nothing is sent to"):
        Poster(f"http://hooks.example:{listener.port}/x", 5.0).post(b"{}")
    assert listener.received == []


@pytest.mark.parametrize("host", ["2852039166", "0xa9fea9fe", "0251.0376.0251.0376"])
def test_other_ways_of_writing_the_address_do_not_help(host):
    try:
        socket.getaddrinfo(host, 80)
    except OSError:
        pytest.skip("this system's resolver does not read such a name as an address")
    with pytest.raises(UndeliveredError, match="nothing is sent to"):
        Poster(f"http://{host}/latest", 5.0).post(b"{}")


def test_a_name_that_changes_between_look_and_connection_gets_nothing(monkeypatch, listener):
    """The address that was connected to is looked at again: DNS may have said something else."""
    answers = iter([None, "it has changed meanwhile"])
    monkeypatch.setattr(stream.egress, "why_forbidden", lambda _address: next(answers))
    with pytest.raises(UndeliveredError, match="it has changed meanwhile"):
        Poster(f"http://127.0.0.1:{listener.port}/x", 5.0, "Bearer abc").post(b"{}")
    assert listener.received == []


def test_a_proxy_of_the_environment_is_told_nothing(monkeypatch, listener):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://169.254.169.254:3128")
    Poster(f"http://127.0.0.1:{listener.port}/x", 5.0).post(b"{}")
    assert len(listener.received) == 1


@pytest.mark.parametrize(
    "keys_at", ["http://id.example/keys", "file:///etc/passwd", "ftp://x/y", 7, None]
)
def test_a_discovery_document_cannot_send_us_to_another_scheme(keys_at):
    asked = []

    def fetch(url):
        asked.append(url)
        return {"issuer": "https://id.example", "jwks_uri": keys_at}

    keys = PublicKeys("https://id.example", fetch=fetch)
    with pytest.raises(IssuerUnreachableError, match="jwks_uri"):
        keys._ask()
    assert asked == ["https://id.example/.well-known/openid-configuration"]


def test_nothing_else_in_the_server_opens_connections_of_its_own():
    """Every user of an HTTP client is known; whoever adds one has to think of this."""
    clients = {"urllib3", "requests", "httpx", "aiohttp", "http.client", "urllib.request"}
    users = set()
    for package in ("monitor", "stream", "serve"):
        for path in (ROOT / package).glob("**/*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                names = []
                if isinstance(node, ast.Import):
                    names = [one.name for one in node.names]
                elif isinstance(node, ast.ImportFrom):
                    names = [node.module or ""]
                if any(name in clients or name.split(".")[0] in clients for name in names):
                    users.add(str(path.relative_to(ROOT)))
    checked = {
        "stream/egress.py",
        "stream/logs/kafka_tokens.py",
        "serve/notify/post.py",
        "serve/api/auth/jwks.py",
        "serve/doctor/api.py",
    }
    by_a_person = {path for path in users if path.startswith("serve/client/")}
    assert users - by_a_person == checked
    for path in checked - {"stream/egress.py"}:
        text = (ROOT / path).read_text()
        assert "PoolManager" not in text, path
        assert "import Outside" in text or "Outside\n" in text, path
