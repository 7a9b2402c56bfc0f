"""Several API processes on one socket, and several APIs on one store."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from serve.api.auth.limits import Limit, LocalTimes
from serve.api.workers.shared_times import SharedTimes

PREDICT = "/v1/streams/flights/predict"
QUESTION = {"event": {"x": 1.0, "z": 1.0}, "record": False}
CONFIG = """
[stream]
name = "flights"
broker = "sqlite:///{folder}/log.db"
store = "sqlite:///{folder}/store.db"
[event]
id = "id"
time = "at"
label = "late"
[model]
task = "binary"
pipeline = "preprocessing.StandardScaler() | linear_model.LogisticRegression()"
[api]
port = 0
{more}
"""


class Served:
    """``riverrun api`` in processes of its own."""

    def __init__(self, folder: Path, *arguments: str, more: str, env: dict[str, str]) -> None:
        self.file = folder / "riverrun.toml"
        self.file.write_text(CONFIG.format(folder=folder, more=more))
        root = str(Path(__file__).parents[2])
        kept = {k: v for k, v in os.environ.items() if not k.startswith("RIVERRUN_")}
        self.said = folder / "said.jsonl"
        with self.said.open("w") as said:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-m", "serve.cli", "api"),
                    *("--config", str(self.file), "--log-format", "json", *arguments),
                ],
                env=kept | {"PYTHONPATH": root} | env,
                stderr=said,
                stdin=subprocess.DEVNULL,
            )

    def lines(self, event: str) -> list[dict]:
        found = [line for line in self.said.read_text().splitlines() if line.startswith("{")]
        return [line for line in map(json.loads, found) if line.get("event") == event]

    def wait_until_ready(self, workers: int) -> str:
        deadline = time.monotonic() + 60
        while len(self.lines("listening")) < workers:
            assert self.process.poll() is None, self.said.read_text()
            assert time.monotonic() < deadline, self.said.read_text()
            time.sleep(0.05)
        return self.lines("listening")[0]["url"]

    def stop(self, seconds: float = 30) -> int:
        self.process.terminate()
        return self.process.wait(seconds)


@pytest.fixture
def serve(world) -> Iterator:
    """Start an API over a world that has learned."""
    started: list[Served] = []

    def start(*arguments: str, more: str = "", env: dict[str, str] | None = None) -> Served:
        served = Served(world.folder, *arguments, more=more, env=env or {})
        started.append(served)
        return served

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
        one.process.wait()


def pids(url: str) -> dict[str, int]:
    """Return the workers by slot, as their start times tell them apart."""
    text = httpx.get(f"{url}/metrics").text
    rows = re.findall(r'process_start_time_seconds\{worker="(\d+)"\} (\S+)', text)
    return {slot: float(at) for slot, at in rows}


def value(text: str, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def ask(url: str, count: int) -> list[int]:
    """Send requests over connections of their own, so that all processes get some."""

    def one(_: int) -> int:
        return httpx.post(f"{url}{PREDICT}", json=QUESTION, timeout=30).status_code

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(one, range(count)))


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(one) for one in text.split()]


def test_metrics_are_those_of_all_processes_and_outlive_one_that_is_killed(serve, wait):
    served = serve("--workers", "2")
    url = served.wait_until_ready(2)
    assert ask(url, 60) == [200] * 60
    route = 'riverrun_http_requests_total{method="POST",route="/v1/streams/{stream}/predict"'
    requests = f'{route},status="200"}}'
    answered = 'riverrun_served_predictions_total{stream="flights"}'
    assert value(httpx.get(f"{url}/metrics").text, requests) == 60
    wait(lambda: value(httpx.get(f"{url}/metrics").text, answered) == 60, 5)
    text = httpx.get(f"{url}/metrics").text
    assert value(text, 'riverrun_learned_total{stream="flights"}') == 20
    assert value(text, 'riverrun_log_up{stream="flights"}') == 1
    assert value(text, 'riverrun_inference_log_capacity{stream="flights"}') == 20_000
    assert len(pids(url)) == 2

    victim = children(served.process.pid)[0]
    os.kill(victim, signal.SIGKILL)
    wait(lambda: len(served.lines("worker_died")) == 1, 10)
    assert ask(url, 10) == [200] * 10  # the other one goes on meanwhile
    wait(lambda: len(served.lines("listening")) == 3, 60)
    text = httpx.get(f"{url}/metrics").text
    assert value(text, requests) == 70
    wait(lambda: value(httpx.get(f"{url}/metrics").text, answered) == 70, 5)
    assert len(pids(url)) == 2
    assert served.stop() == 0


def test_all_processes_stop_cleanly_with_everything_recorded(world, serve):
    served = serve("--workers", "2")
    url = served.wait_until_ready(2)
    workers = children(served.process.pid)
    events = [world.event() for _ in range(200)]
    for part in range(4):
        body = {"events": events[part::4]}
        assert httpx.post(f"{url}{PREDICT}/batch", json=body).json()["failed"] == 0
    began = time.monotonic()
    assert served.stop() == 0
    assert time.monotonic() - began < 20
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]
    assert len(world.records()) == 220


def test_workers_end_with_their_supervisor(serve, wait):
    served = serve("--workers", "2")
    served.wait_until_ready(2)
    workers = children(served.process.pid)
    served.process.kill()
    wait(lambda: not [pid for pid in workers if Path(f"/proc/{pid}").exists()], 30)


def test_a_limit_and_an_answer_are_those_of_all_processes(world, serve):
    key = {"RIVERRUN_API_OPERATOR_KEY": "k" * 40}
    served = serve("--workers", "2", more="rate = 0.01\nburst = 42", env=key)
    url = served.wait_until_ready(2)
    headers = {"Authorization": f"Bearer {key['RIVERRUN_API_OPERATOR_KEY']}"}
    event = world.event()

    def one(_: int) -> httpx.Response:
        return httpx.post(f"{url}{PREDICT}", json={"event": event}, headers=headers, timeout=30)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(one, range(60)))
    statuses = [answer.status_code for answer in found]
    assert (statuses.count(200), statuses.count(429)) == (42, 18)
    recorded = {answer.text for answer in found if answer.status_code == 200}
    assert len({json.loads(text)["learned_offset"] for text in recorded}) == 1
    assert served.stop() == 0
    assert sum(record.key == event["id"].encode() for record in world.records()) == 1


def test_a_mistake_is_said_once_and_ends_all(world, serve):
    served = serve("--workers", "2", more='host = "0.0.0.0"')
    assert served.process.wait(30) == 2
    assert served.said.read_text().count("riverrun keys add") == 1


def test_two_apis_on_one_store_answer_alike_and_follow_the_worker(world, wait):
    with world.api() as one, world.api() as two:
        event = world.event()
        answers = [client.post(PREDICT, json={"event": event}).json() for client in (one, two)]
        for name in ("prediction", "probabilities", "model_version", "learned_offset"):
            assert answers[0][name] == answers[1][name]
        world.learn(10)
        question = {"event": {"x": 1.0, "z": 1.5}, "record": False}

        def offsets() -> set[int]:
            found = (client.post(PREDICT, json=question).json() for client in (one, two))
            return {answer["learned_offset"] for answer in found}

        wait(lambda: len(offsets()) == 1 and min(offsets()) >= 30)
    status = world.work()
    assert status["counts"]["repeated"] == 1  # the event that both were asked about is learned once


def test_a_shared_table_of_limits_does_what_one_process_would(tmp_path):
    shared, local = SharedTimes(tmp_path / "a.limits"), LocalTimes()
    again = SharedTimes(tmp_path / "a.limits")  # another process
    limits = [Limit(2.0, 3, shared), Limit(2.0, 3, local)]
    second = Limit(2.0, 3, again)
    now = 1_000.0
    for step in range(200):
        bucket = f"key{step % 7}"
        now += 0.05 * (step % 5)
        one = (limits[0] if step % 2 else second).take(bucket, now)
        assert one == limits[1].take(bucket, now)
    shared.close()
    again.close()


def test_a_shared_table_holds_more_callers_than_places(tmp_path):
    shared = SharedTimes(tmp_path / "a.limits")
    limit = Limit(0.001, 1, shared)
    allowed = sum(limit.take(f"caller{number}", 1_000.0).allowed for number in range(30_000))
    assert allowed == 30_000
    shared.close()
