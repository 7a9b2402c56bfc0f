"""The commands of docs/serving.md do what it says: all five patterns, on a running stream."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from stream.records import NewRecord
from tests.docs.pages import blocks_of, lines_of, read_page

ROOT = Path(__file__).parents[2]
PAGE = read_page("serving.md")
UP = "riverrun up"


def commands() -> list[str]:
    """Return the page's commands, in order."""
    return [line.split("#")[0].strip() for line in lines_of(PAGE)]


class Folder:
    """An empty folder of a clone, and what runs in it."""

    def __init__(self, path: Path, **environment: str) -> None:
        self.path = path
        (path / "examples").symlink_to(ROOT / "examples")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        tools = path / "tools"
        tools.mkdir()
        (tools / "riverrun").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m serve.cli "$@"\n')
        (tools / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        for tool in tools.iterdir():
            tool.chmod(0o755)
        self.environment = os.environ | {
            "PATH": f"{tools}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "RIVERRUN_API__PORT": str(self.port),
            **environment,
        }
        self._up: subprocess.Popen[bytes] | None = None

    def run(self, command: str) -> str:
        """Run a command as a person would, and return what it printed."""
        command = command.replace("127.0.0.1:8000", f"127.0.0.1:{self.port}")
        if command == UP:
            self.start()
            return ""
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.path,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout

    def start(self, events: int = 2_000) -> None:
        """Start worker and API, and wait until they have learned."""
        self._up = subprocess.Popen(
            [sys.executable, "-m", "serve.cli", "up"],
            cwd=self.path,
            env=self.environment,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 60
        url = f"http://127.0.0.1:{self.port}/v1/streams/orders"
        while time.monotonic() < deadline:
            try:
                status = httpx.get(url).json()["status"]
                if status is not None and status["counts"]["events"] >= events:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.2)
        pytest.fail("it did not learn in time")

    def stop(self) -> int | None:
        """Stop what runs; return how it left."""
        if self._up is None:
            return None
        self._up.send_signal(signal.SIGTERM)
        return self._up.wait(30)


@pytest.fixture
def folder(tmp_path):
    made = Folder(tmp_path)
    yield made
    made.stop()


@pytest.mark.timeout(180)
def test_every_pattern_answers_as_the_page_says(folder):
    said: dict[str, str] = {}
    for command in commands():
        said[command.split()[1].split("/")[-1] + command[-12:]] = folder.run(command)
    every = "".join(said.values())
    assert re.search(r"returned: True.* by v1", every)
    assert "the same again: True" in every
    assert "had it cost 5: False" in every
    assert "right: True" in every
    measured = json.loads(re.search(r'\{"asked".*\}', every)[0])
    assert measured["asked"] == 50
    assert 0 < measured["median_ms"] <= measured["p99_ms"] < 10_000
    assert "stored 500, to be looked up by id" in every
    assert re.search(r"o2000: (True|False) \(precomputed, by v1\)\n500 are stored", every)
    assert re.search(r"v1: \{'prediction': True, 'probabilities'.*imported: False", every)
    forecast = (folder.path / "forecast.csv").read_text().splitlines()
    assert len(forecast) == 501
    assert forecast[0] == "id,time,prediction,probability,label,model_version"
    assert folder.stop() == 0


@pytest.mark.timeout(180)
def test_the_broker_pattern_answers_over_kafka(tmp_path, kafka_broker):
    from stream.logs.open_log import open_log

    name = "orders"
    log = open_log(kafka_broker.url)
    log.create_topics(
        dict.fromkeys([f"{name}.{kind}" for kind in ("events", "labels", "predictions")], 1)
        | {f"{name}.dead-letters": 1}
    )
    past = {"order_id": "k0", "placed": "2025-01-01T00:00:00Z", "amount": 1.0, "items": 1}
    value = json.dumps(past | {"country": "NL", "returned": False}).encode()
    log.sink().append([NewRecord(f"{name}.events", b"k0", value)]).offsets()
    log.close()
    folder = Folder(tmp_path, RIVERRUN_STREAM__BROKER=kafka_broker.url)
    folder.run("cp examples/serving/orders.toml riverrun.toml")
    try:
        folder.start(events=1)
        said = folder.run(f"python examples/serving/broker.py {kafka_broker.url} 50")
    finally:
        folder.stop()
    measured = json.loads(said.splitlines()[-1])
    print(f"through Kafka: {measured}")
    assert measured["asked"] == 50
    assert measured["median_ms"] < 5_000


def test_the_client_of_the_page_is_the_one_that_there_is():
    import serve.client

    code = "\n".join(blocks_of(PAGE, "python"))
    compile(code, "docs/serving.md", "exec")
    for verb in re.findall(r"client\.(\w+)\(", code):
        assert hasattr(serve.client.Client, verb)
        assert hasattr(serve.client.AsyncClient, verb)
    for name in re.findall(r"`(\w+Error)`", PAGE):
        assert hasattr(serve.client, name), name


def test_what_the_page_says_of_limits_is_so():
    from serve.api.live import collect, hub
    from serve.api.live.shapes import EventType
    from stream.api_sections import ApiSection
    from stream.recent import MAX_VALUE_BYTES
    from stream.sections import PredictionsSection

    assert f"over {MAX_VALUE_BYTES:,} bytes" in PAGE
    assert f"the {collect.PREDICTIONS_MAX} newest" in PAGE
    assert f"At most {hub.QUEUE:,} events" in PAGE
    assert f"`api.max_live` ({ApiSection().max_live})" in PAGE
    assert f"({PredictionsSection().keep:,}; 0 keeps none)" in PAGE
    for kind in EventType.__args__:
        assert f"| `{kind}` |" in PAGE
