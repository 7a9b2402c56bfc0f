"""A stream that is served by ``riverrun up`` in a process of its own, for benches of serving."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any

import httpx
import msgspec

from benchmarks.streams import PIPELINES, rows
from stream.log import Log
from stream.logs.open_log import open_log
from stream.records import NewRecord

CONFIG = """
[stream]
name = "bench"
[event]
id = "id"
label = "label"
[model]
task = "binary"
metrics = ["ROCAUC"]
pipeline = "{pipeline}"
[api]
port = {port}
offset_wait = "60s"
[retrain]
enabled = false
[checkpoint]
max_interval = "{max_interval}"
"""
_READY_SECONDS = 60
LEARNED = 12_000
"""Events that the stream has learned from before a bench begins: more than the warm-up."""


class Served:
    """A running stream.

    Parameters
    ----------
    folder
        Where log and store are.
    url
        Of its API.
    log
        Its log.
    """

    def __init__(self, folder: Path, url: str, log: Log) -> None:
        self.folder = folder
        self.url = url
        self.log = log
        self.process: subprocess.Popen[bytes]

    def events(self, count: int, start: int) -> list[NewRecord]:
        """Return labelled events with ids of their own."""
        return [
            NewRecord("bench.events", None, msgspec.json.encode(row | {"id": f"{start}-{n}"}))
            for n, row in enumerate(rows(count, seed=start))
        ]

    def pids(self) -> dict[str, int]:
        """Return the processes of worker and API by their command."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        found = {}
        for pid in map(int, children.split()):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
            name = next((word for word in words if word in ("worker", "api")), None)
            if name is not None:
                found[name] = pid
        return found or {"api": self.process.pid}

    def status(self) -> dict[str, Any]:
        """Return the stream's status."""
        found: dict[str, Any] = httpx.get(f"{self.url}/v1/streams/bench", timeout=30).json()
        return found


@contextmanager
def served(max_interval: str = "30s") -> Iterator[Served]:
    """Serve a stream that has learned, and stop it afterwards."""
    with TemporaryDirectory() as path, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        folder = Path(path)
        pipeline = next(iter(PIPELINES.values()))
        text = CONFIG.format(pipeline=pipeline, port=port, max_interval=max_interval)
        (folder / "riverrun.toml").write_text(text)
        log = open_log(f"sqlite:///{folder}/log.db")
        log.create_topics({f"bench.{kind}": 1 for kind in _KINDS})
        made = Served(folder, f"http://127.0.0.1:{port}", log)
        log.sink().append(made.events(LEARNED, 0)).offsets()
        made.process = subprocess.Popen(
            [sys.executable, "-m", "serve.cli", "up"],
            cwd=folder,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
        )
        try:
            _wait_until_learned(made)
            yield made
        finally:
            made.process.send_signal(signal.SIGTERM)
            made.process.wait(30)
            log.close()


@contextmanager
def arriving(stream: Served, rate: int) -> Iterator[None]:
    """Let labelled events arrive at a rate while the block runs; 0 for none."""
    stop = Event()

    def produce() -> None:
        sink, started, sent = stream.log.sink(), time.monotonic(), 0
        while not stop.wait(0.05):
            due = int((time.monotonic() - started) * rate) - sent
            if due > 0:
                sent += due
                sink.append(stream.events(due, 1_000_000 + sent)).offsets()

    thread = Thread(target=produce)
    if rate:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        if rate:
            thread.join()


_KINDS = ("events", "labels", "predictions", "dead-letters")


def _wait_until_learned(stream: Served) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        try:
            status = stream.status().get("status")
            if status is not None and status["counts"]["events"] >= LEARNED:
                return
        except (httpx.TransportError, ValueError):
            pass
        time.sleep(0.2)
    raise TimeoutError("the stream did not learn in time")
