"""Requests per second of ``POST predict``, as a share of a bare FastAPI route.

Eight features, a scaler and logistic regression, ``riverrun api`` on the embedded log and store.
The bare route decodes the same body with the same library and sends it back, under the same server
and the same settings. Load comes from another process over 8 connections; the routes are asked in
turn, several times, and medians are compared. *asked* is with ``record: false``; *recorded* also
appends each event to the log. Latency is at half of the highest rate, with a worker at full speed
beside the API.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import msgspec

from benchmarks import api_chantilly, api_mlserver
from benchmarks.peers import environments
from benchmarks.streams import rows
from stream.logs.open_log import open_log
from stream.records import NewRecord

Route = tuple[int, str, str, int]  # port, path, kind of body, process

NAME = "bench"
PREDICT = f"/v1/streams/{NAME}/predict"
CONFIG = """
[stream]
name = "{name}"
broker = "sqlite:///{folder}/log.db"
store = "sqlite:///{folder}/store.db"
[event]
id = "id"
time = "at"
label = "label"
[model]
task = "binary"
pipeline = "preprocessing.StandardScaler() | linear_model.LogisticRegression()"
[api]
port = {port}
"""


def compare(repeats: int, seconds: float = 3.0) -> list[dict[str, Any]]:
    """Return one row for each route.

    Parameters
    ----------
    repeats
        Rounds, in each of which every route is asked.
    seconds
        That each is asked in a round.
    """
    with tempfile.TemporaryDirectory() as name, stream_in(Path(name)) as (port, api, config):
        with server([sys.executable, "-m", "benchmarks.api_echo"]) as (echo_port, echo):
            routes: dict[str, Route] = {
                "bare FastAPI": (echo_port, "/echo", "asked", echo.pid),
                "predict, asked": (port, PREDICT, "asked", api.pid),
                "predict, recorded": (port, PREDICT, "recorded", api.pid),
            }
            with mlserver() as first, chantilly() as second:
                peers = {"MLServer": first, "chantilly": second}
                routes |= {title: route for title, route in peers.items() if route is not None}
                table = _table(_in_turn(routes, repeats, seconds))
        table[1] |= _at_half(port, config, table[1]["per_second"] // 2)
    return table


def _in_turn(
    routes: dict[str, Route], repeats: int, seconds: float
) -> dict[str, list[dict[str, Any]]]:
    seen: dict[str, list[dict[str, Any]]] = {title: [] for title in routes}
    for _ in range(repeats):
        for title, (port, path, kind, pid) in routes.items():
            found = load(port, path, "--kind", kind, "--seconds", str(seconds))
            seen[title].append(found | {"rss": rss_mib(pid)})
    return seen


def _table(seen: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    bare = [found["per_second"] for found in seen["bare FastAPI"]]
    return [
        {
            "route": title,
            "per_second": round(median(found["per_second"] for found in rounds)),
            "share": round(
                median(f["per_second"] / b for f, b in zip(rounds, bare, strict=True)), 2
            ),
            "failed": sum(found["failed"] for found in rounds),
            "p99_ms at half load": "",
            "RSS MiB after round 1, last": f"{rounds[0]['rss']}, {rounds[-1]['rss']}",
        }
        for title, rounds in seen.items()
    ]


def _at_half(port: int, config: Path, rate: int) -> dict[str, Any]:
    """Return the latency at a rate, while a worker learns beside it as fast as it can."""
    worker = [sys.executable, "-m", "serve.cli", "worker", "--config", str(config)]
    with running(worker, cwd=config.parent):
        time.sleep(1.0)
        found = load(port, PREDICT, "--rate", str(rate), "--seconds", "5", "--connections", "32")
    return {"p99_ms at half load": found["p99_ms"], "failed": found["failed"]}


@contextmanager
def stream_in(folder: Path) -> Iterator[tuple[int, subprocess.Popen[bytes], Path]]:
    """Run ``riverrun api`` on a model that has learned; leave events for a worker to learn."""
    port = free_port()
    config = folder / "riverrun.toml"
    config.write_text(CONFIG.format(name=NAME, folder=folder, port=port))
    log = open_log(f"sqlite:///{folder}/log.db")
    log.create_topics({f"{NAME}.events": 1, f"{NAME}.labels": 1})
    _produce(log, 20_000)
    worker = [
        sys.executable,
        "-m",
        "serve.cli",
        "worker",
        "--config",
        str(config),
        "--until-caught-up",
    ]
    subprocess.run(worker, check=True, capture_output=True, cwd=folder)
    _produce(log, 200_000)
    log.close()
    api = [sys.executable, "-m", "serve.cli", "api", "--config", str(config)]
    with running(api, cwd=folder) as process:
        answers(port, "/readyz")
        yield port, process, config


def _produce(log: Any, count: int) -> None:
    now, sink = round(time.time() * 1000), log.sink()
    batch: list[NewRecord] = []
    for row in rows(count):
        key = f"{count}-{row['id']}"
        features = {name: value for name, value in row.items() if name.startswith("f")}
        event = {"id": key, "at": now, "label": row["label"], **features}
        batch.append(NewRecord(f"{NAME}.events", key.encode(), msgspec.json.encode(event)))
        if len(batch) == 2_000:
            sink.append(batch)
            batch = []
    sink.append(batch)
    sink.close()


@contextmanager
def mlserver() -> Iterator[Route | None]:
    """Run MLServer with the same kind of model, where ``BENCH_MLSERVER`` names its program."""
    program = named("BENCH_MLSERVER", "mlserver", "mlserver river")
    if program is None:
        yield None
        return
    port = free_port()
    with tempfile.TemporaryDirectory() as name:
        folder = api_mlserver.folder_of(Path(name), port)
        with running([program, "start", str(folder)], cwd=folder) as process:
            answers(port, "/v2/health/ready")
            yield port, "/v2/models/bench/infer", "mlserver", process.pid


@contextmanager
def chantilly() -> Iterator[Route | None]:
    """Run chantilly with the same kind of model, where ``BENCH_CHANTILLY`` names a gunicorn."""
    program = named("BENCH_CHANTILLY", "gunicorn", "chantilly gunicorn setuptools")
    if program is None:
        yield None
        return
    port = free_port()
    with tempfile.TemporaryDirectory() as name:
        environment = api_chantilly.environment_of(Path(name))
        command = api_chantilly.command(program, port)
        with running(command, cwd=Path(name), environment=environment) as process:
            answers(port, "/api/init")
            api_chantilly.give_model(program, port)
            yield port, "/api/predict", "chantilly", process.pid


def named(variable: str, program: str, packages: str) -> str | None:
    """Return the program of a peer's own environment; say how to make one where there is none."""
    found = os.environ.get(variable)
    own = environments.CACHE / variable.removeprefix("BENCH_").lower() / "bin" / program
    if found is None and own.exists():
        return str(own)
    if found is None:
        sys.stderr.write(
            f"one peer less beside it: python -m benchmarks.peers --install makes its environment, "
            f"or set {variable} to the program {program!r} of one that has {packages}\n"
        )
    return found


@contextmanager
def server(command: list[str]) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Run a server that takes its port as its last argument."""
    port = free_port()
    with running([*command, str(port)]) as process:
        answers(port, "/")
        yield port, process


@contextmanager
def running(
    command: list[str], cwd: Path | None = None, environment: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process, and stop it at the end; without an environment it finds riverrun."""
    environment = environment or os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    process = subprocess.Popen(
        command, cwd=cwd, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def load(port: int, path: str, *options: str) -> dict[str, Any]:
    """Run the load generator once, and return what it saw."""
    command = [sys.executable, "-m", "benchmarks.api_load", "127.0.0.1", str(port), path, *options]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def answers(port: int, path: str, seconds: float = 60.0) -> None:
    """Wait until a server answers at all."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if httpx.get(f"http://127.0.0.1:{port}{path}").status_code < 500:
                return
        except httpx.TransportError:
            pass
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing answers at port {port}")
        time.sleep(0.1)


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def rss_mib(pid: int) -> int:
    """Return the memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") >> 20


if __name__ == "__main__":
    from benchmarks.__main__ import show

    show("POST predict as a share of a bare route", compare(int((sys.argv[1:] or ["5"])[0])))
