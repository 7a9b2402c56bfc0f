"""What a worker answers probes: alive while its loop goes round, ready while its parts answer."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from threading import Barrier, Event
from uuid import uuid4

import httpx
import pytest

from serve.worker_health.pulse import Pulse
from stream.sharding.shard_run import ShardRun
from tests.conftest import running_postgres
from tests.faults.watching import wait_until
from tests.kafka.broker import free_port
from tests.processes.forked import COMMAND, ROOT, ForkedRiverrun

CONFIG = """
[stream]
name = "s"
store = "{store}"
[event]
label = "y"
[model]
task = "binary"
pipeline = "linear_model.LogisticRegression()"
[worker]
health_port = {port}
"""
DIVIDED = """
[topics]
partitions = 4
[retrain]
enabled = false
"""
DEADLINE = 120


class Probed:
    """A worker in a process of its own, and who asks it."""

    def __init__(self, folder, store: str, more: str) -> None:
        self.port = free_port()
        (folder / "riverrun.toml").write_text(CONFIG.format(store=store, port=self.port) + more)
        kept = {k: v for k, v in os.environ.items() if not k.startswith("RIVERRUN_")}
        self.options = {"cwd": folder, "env": kept | {"PYTHONPATH": str(ROOT)}, "text": True}
        self.process = ForkedRiverrun([*COMMAND, "worker"], stderr=subprocess.PIPE, **self.options)

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=30)

    def wait(self, path: str, status: int) -> httpx.Response:
        """Ask until the answer is as wanted."""
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.process.stderr.read()
            try:
                if (found := self.get(path)).status_code == status:
                    return found
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise AssertionError(f"{path} did not come to {status}")

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=DEADLINE)
        return self.process.returncode


@pytest.fixture
def probed(tmp_path):
    """Return what starts one; it is ended when the test is."""
    started = []

    def start(store: str = "sqlite:///store.db", more: str = "") -> Probed:
        started.append(Probed(tmp_path, store, more))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.communicate()


@pytest.fixture
def server():
    """Return a PostgreSQL of our own: it is stopped under the worker."""
    with running_postgres() as made:
        yield made


def test_a_worker_is_alive_and_ready_until_it_is_stopped(probed):
    worker = probed()
    assert worker.wait("/readyz", 200).json() == {
        "status": "ready",
        "parts": {"store": "ok", "log": "ok"},
    }
    assert worker.get("/healthz").json() == {"status": "alive"}
    lost = worker.get("/metrics")
    assert (lost.status_code, lost.json()["title"]) == (404, "Not Found")
    assert worker.get("/healthz").headers["server"].strip() == "riverrun"
    assert httpx.head(f"http://127.0.0.1:{worker.port}/healthz").text == ""
    assert worker.end() == 0


def test_so_is_a_worker_that_shares_a_divided_stream(probed, monkeypatch):
    monkeypatch.setenv("RIVERRUN_STREAM__SHARDS", "partition")
    worker = probed(more=DIVIDED)
    assert worker.wait("/readyz", 200).json()["parts"] == {"store": "ok", "log": "ok"}
    assert worker.get("/healthz").json() == {"status": "alive"}
    assert worker.end() == 0


def test_who_only_connects_keeps_nobody_from_asking(probed):
    worker = probed()
    worker.wait("/healthz", 200)
    silent = [socket.create_connection(("127.0.0.1", worker.port)) for _ in range(20)]
    assert worker.get("/healthz").status_code == 200
    for one in silent:
        one.close()
    assert worker.end() == 0


def test_a_store_that_is_away_is_waited_for_and_told(probed, server):
    worker = probed(server.url(f"t{uuid4().hex}"))
    worker.wait("/readyz", 200)
    server.down()
    red = worker.wait("/readyz", 503).json()
    assert red["type"] == "urn:riverrun:problem:not_ready"
    assert red["parts"]["store"] != "ok"
    assert red["parts"]["log"] == "ok"
    assert red["detail"].startswith("store: ")
    assert worker.get("/healthz").status_code == 200  # starting it anew would mend nothing
    server.up()
    worker.wait("/readyz", 200)
    assert worker.end() == 0


def test_a_port_that_is_taken_is_a_persons_mistake(probed):
    first = probed()
    first.wait("/healthz", 200)
    again = ForkedRiverrun([*COMMAND, "worker"], stderr=subprocess.PIPE, **first.options)
    _, err = again.communicate(timeout=DEADLINE)
    assert again.returncode == 3
    assert "worker.health_port" in err
    assert "Traceback" not in err
    assert first.end() == 0


def test_the_pulse_is_missed_a_minute_after_the_watchdog_would_have_come():
    now = [0.0]
    pulse = Pulse(120_000, lambda: now[0])
    assert pulse.trouble == "the worker has not begun its first turn"
    asks = pulse.heard_in(lambda: False)
    assert asks() is False
    assert pulse.trouble is None
    now[0] = 180.0
    assert pulse.trouble is None
    now[0] = 181.0
    assert pulse.trouble == "the worker has been in one turn for 181 s"
    asks()
    assert pulse.trouble is None


def test_where_an_event_may_take_for_ever_so_may_a_turn():
    now = [0.0]
    pulse = Pulse(0, lambda: now[0])
    pulse.heard_in(lambda: True)()
    now[0] = 1e6
    assert pulse.trouble is None


def test_each_shards_loop_is_heard_from_its_beginning_to_its_end():
    now, turns = [0.0], {0: Event(), 2: Event()}
    pulse = Pulse(120_000, lambda: now[0])
    begun = Barrier(3)

    def work(number: int, should_stop: Callable[[], bool]) -> None:
        begun.wait(DEADLINE)
        while not turns[number].wait(0.005):
            should_stop()

    def stuck_work(number: int, _: Callable[[], bool]) -> None:
        begun.wait(DEADLINE)
        turns[number].wait(DEADLINE)

    asks = pulse.heard_in(lambda: False)
    asks()
    runs = [
        ShardRun(0, "0-of-4", pulse.heard_in_shards(work)),
        ShardRun(2, "2-of-4", pulse.heard_in_shards(stuck_work)),
    ]
    begun.wait(DEADLINE)
    now[0] = 181.0
    asks()
    wait_until(lambda: pulse.trouble == "shard 2 has been in one turn for 181 s", "that")
    turns[2].set()
    runs[1].join()
    assert pulse.trouble is None  # what has ended is no longer waited for
    now[0] = 400.0
    wait_until(lambda: pulse.trouble == "the worker has been in one turn for 219 s", "that")
    turns[0].set()
    runs[0].join()
