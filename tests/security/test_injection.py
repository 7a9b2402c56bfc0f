"""Text from outside stays text: in logs, headers, terminals and the configuration."""

from __future__ import annotations

import json
import socket
from contextlib import closing

import pytest

from stream.logs.sqlite_log import SqliteLog
from stream.records import NewRecord

TOPICS = ("s.events", "s.labels", "s.predictions", "s.dead-letters")
HOSTILE = [
    "a\nb",
    'x\n{"event": "forged", "level": "error"}',
    "\x1b[2J\x1b[31mred",
    "\x1b]0;title\x07",
    "back\x08\x08\x08space",
    "\r overwritten",
    "\u202egnirts",
    "null\x00byte",
    "\u2028line separator",
    "%s %n {0} {event}",
    "=cmd|' /C calc'!A0",
    "<script>alert(1)</script>",
    "${jndi:ldap://169.254.169.254/x}",
]


def config_of(folder, **more):
    text = """
[stream]
name = "s"
broker = "sqlite:///log.db"
store = "sqlite:///store.db"
[event]
id = "id"
label = "y"
[model]
task = "binary"
pipeline = "preprocessing.StandardScaler() | linear_model.LogisticRegression()"
[dead_letters]
max_share = 1.0
"""
    (folder / "riverrun.toml").write_text(text + more.get("text", ""))


def hostile_events(path) -> None:
    rows = [{"id": f"{text}{n}", "x": 1.0, text: 1.0, "y": True} for n, text in enumerate(HOSTILE)]
    rows += [{"id": "bad", "y": text, "x": 1.0} for text in HOSTILE]
    rows += [{"id": {text: text}, "y": True} for text in HOSTILE]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def fed(here, riverrun):
    config_of(here)
    hostile_events(here / "events.jsonl")
    with closing(SqliteLog(here / "log.db")) as log:  # `produce` would refuse half of them
        log.create_topics(dict.fromkeys(TOPICS, 1))
        rows = (here / "events.jsonl").read_bytes().splitlines()
        log.sink().append([NewRecord("s.events", None, row) for row in rows]).offsets()
    return here


def test_each_line_of_the_log_is_one_whatever_events_hold(fed, riverrun):
    code, _, err = riverrun(
        "worker", "--until-caught-up", "--log-level", "debug", "--log-format", "json"
    )
    assert code == 0, err
    lines = [json.loads(line) for line in err.splitlines()]
    assert any(line["event"] == "started" for line in lines)
    assert all({"event", "level", "timestamp"} <= set(line) for line in lines)
    assert not any(line["event"] == "forged" for line in lines)


def test_nothing_in_an_event_moves_the_cursor(fed, riverrun, invoke):
    code, _, err = riverrun(
        "worker", "--until-caught-up", "--log-level", "debug", "--log-format", "console"
    )
    assert code == 0, err
    shown = [invoke(*words).stdout for words in (["status"], ["dead-letters", "list"])]
    shown += [invoke("dead-letters", "list", "--json").stdout, invoke("status", "--json").stdout]
    for text in (err, *shown):
        assert "".join(text.splitlines()).isprintable(), ascii(text)


def test_who_asks_and_why_cannot_write_lines_of_their_own(fed, riverrun, invoke):
    assert riverrun("worker", "--until-caught-up")[0] == 0
    reason = 'why\n{"event": "forged"}\x1b[2J'
    assert invoke("retrain", "--reason", reason, "--no-wait").exit_code == 0
    code, _, err = riverrun("worker", "--until-caught-up", "--log-format", "json")
    assert code == 0, err
    lines = [json.loads(line) for line in err.splitlines()]
    assert any(line["event"] == "asked" for line in lines)
    assert not any(line["event"] == "forged" for line in lines)


def raw(client, head: bytes, body: bytes = b"") -> bytes:
    url = client.base_url
    with socket.create_connection((url.host, url.port), timeout=20) as connection:
        connection.sendall(head + b"\r\n\r\n" + body)
        connection.settimeout(20)
        found = b""
        while piece := connection.recv(65_536):
            found += piece
    return found


@pytest.mark.parametrize(
    "line",
    [
        b"X-Request-ID: a\r\n Set-Cookie: x=1",
        b"X-Request-ID: a\nSet-Cookie: x=1",
        b"X-Request-ID: a\rSet-Cookie: x=1",
        b"X-Request-ID: a%0d%0aSet-Cookie: x=1",
        b"X-Request-ID: \xc4\x8dSet-Cookie: x=1",
        b"traceparent: 00-" + b"0" * 31 + b"1-" + b"0" * 15 + b"1-01\r\n Set-Cookie: x=1",
        b"X-Requested-By: a\r\n Set-Cookie: x=1",
    ],
)
def test_no_header_of_a_request_becomes_one_of_the_answer(world, line):
    with world.api() as client:
        host = f"{client.base_url.host}:{client.base_url.port}".encode()
        head = b"GET /v1/streams HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n" + line
        answer = raw(client, head).lower()
    assert answer.startswith(b"http/1.1 ")
    assert b"\nset-cookie" not in answer
    assert b"\rset-cookie" not in answer


def test_a_redirect_to_sign_in_cannot_be_made_to_lead_elsewhere(world):
    with world.api() as client:
        for path in ("//evil.example/x", "/ui//evil.example", "/ui/%0d%0aSet-Cookie:x=1/y"):
            host = f"{client.base_url.host}:{client.base_url.port}"
            head = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close".encode()
            answer = raw(client, head).lower()
            place = [r for r in answer.split(b"\r\n") if r.startswith(b"location:")]
            assert all(one.split(b":", 1)[1].strip().startswith(b"/ui") for one in place), place
            assert b"\nset-cookie" not in answer


@pytest.mark.parametrize("text", HOSTILE[:8])
def test_a_name_in_the_schema_file_cannot_add_keys_to_it(text):
    import tomllib

    from stream.load_config import build_config

    tables = {
        "stream": {"name": "s"},
        "event": {"id": "id", "label": text + '"\n[api]\nhost = "0.0.0.0"'},
        "model": {"task": "binary", "pipeline": "linear_model.LogisticRegression()"},
    }
    config = build_config(tables, "x")
    assert config.api.host == "127.0.0.1"
    assert tomllib.loads("") == {}


def test_a_csv_whose_columns_are_hostile_gives_a_configuration_that_says_the_same(here, invoke):
    """`init` writes names of columns into riverrun.toml: none of them may add a key to it."""
    import csv
    import tomllib

    names = ['x"\n[api]\nhost = "0.0.0.0"\n#', 'a"""b', "c\\", "d'", "e\x1b[2J"]
    with (here / "events.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "y", *names])
        for n in range(200):
            writer.writerow([f"e{n}", n % 2, *(n / (k + 1) for k in range(len(names)))])
    result = invoke("init", "events.csv", "--label", "y")
    assert result.exit_code == 0, result.stderr
    found = tomllib.loads((here / "riverrun.toml").read_text())
    assert found.get("api", {}).get("host", "127.0.0.1") == "127.0.0.1"
    assert invoke("check", "--json").exit_code == 0
