"""Paths, patterns, series and archives: nothing from outside reaches further than it should."""

from __future__ import annotations

import ast
import re
import socket
import warnings
from pathlib import Path

import pytest

from serve.client import asynchronous  # noqa: F401 - its patterns are looked at, too

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from sre_constants import MAX_REPEAT, MAXREPEAT, MIN_REPEAT
    from sre_parse import parse as parse_pattern

ROOT = Path(__file__).parents[2]
PACKAGES = ("monitor", "stream", "serve")

CLIMBING = [
    "../riverrun.toml",
    "..%2f..%2friverrun.toml",
    "%2e%2e/%2e%2e/etc/passwd",
    "....//....//etc/passwd",
    "..\\..\\riverrun.toml",
    "%00/etc/passwd",
    "/etc/passwd",
    "//etc/passwd",
    "static/../../../../etc/passwd",
]


def raw_get(client, target: str) -> bytes:
    """Ask for a path as it is: clients tidy it up before they ask."""
    url = client.base_url
    with socket.create_connection((url.host, url.port), timeout=20) as connection:
        request = (
            f"GET {target} HTTP/1.1\r\nHost: {url.host}:{url.port}\r\nConnection: close\r\n\r\n"
        )
        connection.sendall(request.encode())
        found = b""
        while piece := connection.recv(65_536):
            found += piece
    return found


def test_no_path_leads_out_of_the_static_files(world):
    (world.folder / "riverrun.toml").write_text("root: secret\n")
    from serve.api.dashboard.assets import assets

    build = assets().build
    with world.api() as client:
        for climbing in CLIMBING:
            for before in (f"/ui/assets/{build}/", "/ui/", "/docs/", "/v1/streams/", "/static/"):
                answer = raw_get(client, before + climbing)
                status = int(answer.split(b" ", 2)[1])
                assert status in (303, 307, 400, 404, 405), (before, climbing, answer[:200])
                assert b"root:" not in answer


@pytest.mark.parametrize("name", ["../x", "a/b", "..", "", "a\nb", "a b", "x" * 200, "a\x00b"])
def test_a_stream_cannot_be_called_what_leads_elsewhere(make_world, name):
    with pytest.raises(Exception, match=r"stream\.name|name"):
        make_world(stream={"name": name})


@pytest.mark.parametrize("version", ["../../x", "..%2f..%2fx", "v1%00", "v1/../v2", "v" * 5_000])
def test_a_version_is_a_name_and_no_path(world, version):
    with world.api() as client:
        answer = raw_get(client, f"/v1/streams/flights/models/{version}")
        assert int(answer.split(b" ", 2)[1]) in (400, 404, 414, 422), answer[:200]


# ---------------------------------------------------------------- patterns


def patterns() -> list[tuple[str, str | bytes]]:
    """Return every pattern in the source, with its place."""
    found = []
    for package in PACKAGES:
        for path in sorted((ROOT / package).glob("**/*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                place = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
                if isinstance(node, ast.Call) and is_re(node.func):
                    found.append((place, node.args[0]))
                if isinstance(node, ast.keyword) and node.arg == "pattern":
                    found.append((f"{path.relative_to(ROOT)}:{node.value.lineno}", node.value))
    return found


def is_re(function: ast.expr) -> bool:
    return (
        isinstance(function, ast.Attribute)
        and isinstance(function.value, ast.Name)
        and function.value.id == "re"
        and function.attr in ("compile", "match", "fullmatch", "search", "sub", "split", "findall")
    )


def test_every_pattern_stands_in_the_source():
    """None comes from a file or a request: a schema has domains and bounds, and no patterns."""
    known_names = {"ID_PATTERN", "_NAME"}  # constants of their modules
    for place, node in patterns():
        constant = isinstance(node, ast.Constant)
        assert constant or (isinstance(node, ast.Name) and node.id in known_names), place


UNAMBIGUOUS = {r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*"}
"""Repeats of repeats that can be read in one way only: each begins with a dot, which none holds."""


def test_no_pattern_repeats_what_repeats_without_end():
    """So none needs exponential time, whatever it is given."""
    texts = [(place, node.value) for place, node in patterns() if isinstance(node, ast.Constant)]
    assert len(texts) > 15
    for place, text in texts:
        if text not in UNAMBIGUOUS:
            assert not nested(parse_pattern(text)), f"{place}: {text!r}"


@pytest.mark.parametrize("text", ["(a+)+", "(a*)*b", "((ab)+c*)+$", "(x{1,}y*)*"])
def test_patterns_that_do_would_be_found(text):
    assert nested(parse_pattern(text))


def nested(parsed, *, inside: bool = False) -> bool:
    for operation, argument in parsed:
        if operation in (MAX_REPEAT, MIN_REPEAT):
            _, most, body = argument
            endless = most is MAXREPEAT
            # A repeat whose body begins with something fixed of another kind is unambiguous, but
            # that is hard to tell: those that are needed are written without nesting.
            if (endless and inside) or nested(body, inside=inside or endless):
                return True
        elif isinstance(argument, tuple):
            for piece in argument:
                if hasattr(piece, "data") and nested(piece, inside=inside):
                    return True
                if isinstance(piece, list) and any(
                    hasattr(p, "data") and nested(p, inside=inside) for p in piece
                ):
                    return True
    return False


def test_a_schema_file_knows_no_patterns():
    from monitor.schema_text import schema_from_toml

    text = '[features.a]\ntype = "str"\npattern = "(a+)+$"\n'
    with pytest.raises(Exception, match="pattern"):
        schema_from_toml(text)


# ---------------------------------------------------------------- series


def series(client) -> set[str]:
    client.get("/metrics")  # so that asking itself is among them
    text = client.get("/metrics").text
    return {
        re.sub(r"} .*|^(\S+) .*", r"\1", line)
        for line in text.splitlines()
        if line and not line.startswith("#")
    }


def test_what_callers_choose_makes_no_series(world):
    with world.api() as client:
        ask = "/v1/streams/flights/predict"

        def attack(n: int) -> None:
            client.get(f"/nothing/{n}")
            client.get(f"/v1/streams/none{n}/status")
            client.get(f"/v1/streams/flights/models/v{n}")
            client.post(ask, json={"event": {"id": f"i{n}", "at": 1, f"f{n}": n}})
            client.get("/healthz", headers={"x-request-id": f"r{n}", "user-agent": f"u{n}"})
            client.get("/healthz", headers={"traceparent": f"00-{n + 1:032x}-{n + 1:016x}-01"})
            client.get("/healthz", headers={"authorization": f"Bearer k{n}"})

        for n in range(3):
            attack(n)
        raw_get(client, "/healthz")
        before = series(client)
        for n in range(3, 40):
            attack(n)
        after = series(client)
    assert after - before == set()


def test_methods_that_nobody_knows_make_no_series(world):
    with world.api() as client:
        before = series(client)
        for n in range(30):
            url = client.base_url
            with socket.create_connection((url.host, url.port), timeout=20) as connection:
                connection.sendall(f"M{n}X /healthz HTTP/1.1\r\nHost: {url.host}\r\n\r\n".encode())
                connection.recv(4_096)
        assert series(client) - before == set()
