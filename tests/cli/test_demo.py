"""``demo``: three thousand flights, learned from by the processes of production."""

import json
import os
import re
import signal
import socket
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from serve.demo.flights import find_flights
from stream.errors import InputError


@pytest.fixture(autouse=True)
def data():
    try:
        return find_flights()
    except InputError as error:
        pytest.skip(str(error))


@pytest.fixture(autouse=True)
def temporary(here, monkeypatch):
    folder = here / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def test_three_thousand_flights_at_full_speed(riverrun, temporary, environment):
    environment["TMPDIR"] = str(temporary)
    code, out, err = riverrun("demo", "--events", 3000, "--speed", "max", "--exit", "--json")
    assert code == 0, err
    status = json.loads(out)
    counts, labels = status["counts"], status["labels"]
    assert counts["events"] == counts["predicted"] == 3_000
    assert counts["label_messages"] == counts["learned"] == labels["matched"] == 2_958
    assert counts["pending"] + labels["expired"] == 42
    assert counts["dead_lettered"] == counts["repeated"] == 0
    assert set(status["scores"]) == {"model", "no_change", "majority"}
    assert list(temporary.iterdir()) == []
    assert "removed" in err


def test_two_runs_learn_the_same(riverrun, environment):
    arguments = ("demo", "--events", 500, "--speed", "max", "--exit", "--json")
    digests = {json.loads(riverrun(*arguments)[1])["state_digest"] for _ in range(2)}
    assert len(digests) == 1


def test_keep_leaves_a_folder_that_other_commands_can_use(
    riverrun, temporary, environment, invoke, monkeypatch
):
    environment["TMPDIR"] = str(temporary)
    code, out, err = riverrun("demo", "--events", 100, "--speed", "max", "--exit", "--keep")
    assert code == 0, err
    assert "no change" in out
    (folder,) = temporary.iterdir()
    status = json.loads(invoke("status", "--json", "--config", folder / "riverrun.toml").stdout)
    assert status["counts"]["events"] == 100
    assert sum(status["lag"].values()) == 0


def test_a_shared_log_keeps_runs_apart_by_name(riverrun, here, invoke):
    urls = ("--broker", f"sqlite:///{here}/log.db", "--store", f"sqlite:///{here}/store.db")
    fast = ("--events", 100, "--speed", "max", "--exit", "--json")
    first = json.loads(riverrun("demo", *urls, *fast)[1])
    second = json.loads(riverrun("demo", *urls, *fast, "--name", "mine")[1])
    assert re.fullmatch(r"flights-\d{8}-\d{6}-[0-9a-f]{4}", first["stream"])
    assert second["stream"] == "mine"
    assert first["scores"] == second["scores"]


def test_the_live_demo_answers_and_ends_cleanly_on_ctrl_c(spawn, environment, temporary):
    environment["TMPDIR"] = str(temporary)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        demo = spawn("demo", "--speed", "6h", "--port", port)
        seen = ""
        while "curl" not in seen:
            line = demo.stderr.readline()
            assert line, seen
            seen += line
    assert f"port {port} is taken" in seen
    base = re.search(r"answers at (http://127.0.0.1:\d+)", seen)[1]
    body = re.search(r"-d '(.*)'", seen)[1]
    url = re.search(r"curl -s (\S+)", seen)[1]
    assert url == f"{base}/v1/streams/flights/predict"
    answer = predict(url, body)
    assert 0 < answer["probabilities"]["true"] < 1
    demo.send_signal(signal.SIGINT)
    out, err = demo.communicate(timeout=40)
    assert demo.returncode == 0, err
    assert "flights: binary" in out
    assert "removed" in err
    assert list(temporary.iterdir()) == []


def predict(url, body):
    request = urllib.request.Request(
        url, body.encode(), {"Content-Type": "application/json"}, method="POST"
    )
    for _ in range(100):  # until the first model is there, the API says 503
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code != 503:
                raise
            time.sleep(0.1)
    raise AssertionError("no model came")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--speed", "fast"), 2, "--speed: found 'fast'"),
        (("--speed", "0d"), 2, "--speed"),
        (("--events", "0"), 2, "to 1"),
        (("--name", "not a name"), 2, "stream.name"),
        (("--broker", "redis://x"), 2, "found scheme 'redis'"),
        (("--broker", "sqlite:///no/such/log.db"), 3, "does not exist"),
        (("--store", "sqlite:///no/such/store.db"), 3, "does not exist"),
    ],
)
def test_mistakes_are_said(riverrun, arguments, code, message):
    found, out, err = riverrun("demo", "--exit", "--json", *arguments)
    assert (found, out) == (code, ""), err
    assert message in err
    assert "Traceback" not in err


def test_a_worker_that_dies_ends_the_demo(spawn, wait_for, temporary, environment):
    environment["TMPDIR"] = str(temporary)
    demo = spawn("demo", "--speed", "6h", "--no-api")
    (worker,) = wait_for(lambda: children(demo.pid))
    os.kill(worker, signal.SIGKILL)
    _, err = demo.communicate(timeout=40)
    assert demo.returncode == 137
    assert "the worker ended by itself" in err
    assert list(temporary.iterdir()) == []


def children(pid):
    path = Path(f"/proc/{pid}/task/{pid}/children")
    if not path.exists():
        pytest.skip("finds processes in /proc")
    return [int(child) for child in path.read_text().split()]
