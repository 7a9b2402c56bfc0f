"""The server as a process: its port, its signals, its end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time

import httpx
import pytest

from serve.api.errors import CannotListenError, PortInUseError
from serve.api.run_api import run_api
from serve.compose import Secrets
from serve.listening import listen
from stream.errors import RiverrunError

PREDICT = "/v1/streams/flights/predict"

SERVE = """
import sys
from pathlib import Path
from stream.config import Config
from serve.compose import Secrets
from serve.api.run_api import run_api

config = Config.model_validate_json(Path(sys.argv[1]).read_text())
run_api(config, Secrets(), ready=lambda url: print("url", url, flush=True))
print("done", flush=True)
"""


@pytest.fixture
def process(world):
    """The API in a process of its own, with its URL."""
    file = world.folder / "config.json"
    file.write_text(world.config.model_dump_json())
    started = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(file)], stdout=subprocess.PIPE, text=True
    )
    try:
        for line in started.stdout:
            if line.startswith("url "):
                started.url = line.split()[1]
                break
        yield started
    finally:
        if started.poll() is None:
            started.kill()
        started.wait()
        started.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly_with_everything_recorded(world, process, number):
    with httpx.Client(base_url=process.url) as client:
        events = [world.event() for _ in range(300)]
        answer = client.post(f"{PREDICT}/batch", json={"events": events})
        assert answer.json()["failed"] == 0
        started = time.monotonic()
        process.send_signal(number)
        assert process.wait(15) == 0
    assert time.monotonic() - started < 10
    assert process.stdout.read().endswith("done\n")
    assert len(world.records()) == 320


def test_requests_in_flight_are_answered_before_it_stops(world, process):
    url = httpx.URL(process.url)
    with socket.create_connection((url.host, url.port), timeout=10) as raw:
        body = b'{"event": {"x": 1.0}, "record": false}'
        head = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        raw.sendall(head.encode() + body[:10])
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        raw.sendall(body[10:])
        assert raw.recv(20).startswith(b"HTTP/1.1 200")
    assert process.wait(15) == 0


def test_it_learns_of_checkpoints_that_another_process_commits(world, process, wait):
    question = {"event": {"x": 1.0}, "record": False}
    with httpx.Client(base_url=process.url) as client:
        world.learn(10)
        wait(lambda: client.post(PREDICT, json=question).json()["learned_offset"] == 30)


def test_a_port_in_use_is_said_with_what_to_do(make_world):
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        world = make_world(api={"port": port})
        with pytest.raises(PortInUseError, match=f"{port}.*choose another port") as caught:
            run_api(world.config, Secrets())
    assert isinstance(caught.value, RiverrunError)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("host", ["203.0.113.1", "no.such.host.invalid", "\u2022" * 80])
def test_an_address_of_another_machine_is_said(host):
    with pytest.raises(CannotListenError, match=r"api\.host"):
        listen(host, 0)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may use every port")
def test_a_port_that_needs_rights_is_said():
    with pytest.raises(CannotListenError):
        listen("127.0.0.1", 1)


def test_it_runs_in_a_thread_and_stops_when_it_is_told(world):
    urls: list[str] = []
    told = threading.Event()
    ready = threading.Event()

    def on_ready(url: str) -> None:
        urls.append(url)
        ready.set()

    thread = threading.Thread(target=run_api, args=(world.config, Secrets(), on_ready, told.is_set))
    thread.start()
    assert ready.wait(10)
    assert httpx.get(f"{urls[0]}/readyz").status_code == 200
    told.set()
    thread.join(10)
    assert not thread.is_alive()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{urls[0]}/healthz")


def test_a_broken_store_is_said_before_anything_is_served(make_world):
    world = make_world()
    broken = world.folder / "broken.db"
    broken.write_text("not a database, at all, whatever one reads into it")
    config = world.config.model_copy(
        update={"stream": world.config.stream.model_copy(update={"store": f"sqlite:///{broken}"})}
    )
    with pytest.raises(RiverrunError, match="not a database"):
        run_api(config, Secrets())
