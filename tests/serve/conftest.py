"""A real stream to test the API on: embedded log, store, worker, and uvicorn in a thread."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import httpx
import msgspec
import pytest

from serve.api.app import create_app
from serve.api.run_api import ApiServer
from serve.api.served_stream import ServedStream
from serve.listening import listen
from stream.build import line_factory
from stream.clock import SystemClock
from stream.config import Config
from stream.log import Log
from stream.logs.sqlite_log import SqliteLog
from stream.records import NewRecord
from stream.storage.store import Store
from stream.worker import Worker, open_worker

PIPELINE = "preprocessing.StandardScaler() | linear_model.LogisticRegression()"


class World:
    """One stream in a folder, and whoever works on it."""

    def __init__(self, folder: Path, *, log: Log | None = None, **sections):
        defaults = {
            "stream": {
                "name": "flights",
                "broker": f"sqlite:///{folder}/log.db",
                "store": f"sqlite:///{folder}/store.db",
            },
            "event": {"id": "id", "time": "at", "label": "late"},
            "model": {"task": "binary", "pipeline": PIPELINE},
            "api": {"port": 0},
        }
        for name, section in sections.items():
            defaults[name] = defaults.get(name, {}) | section
        self.folder = folder
        self.config = Config(**defaults)
        self.log = log or SqliteLog(folder / "log.db", busy_seconds=2.0)
        self.log.create_topics(
            dict.fromkeys(self.config.topic_names, self.config.topics.partitions)
        )
        self.store = Store(self.config.stream.store, self.config.stream.name)
        self.random = random.Random(7)
        self.made = 0
        self._worker: Worker | None = None

    @property
    def worker(self) -> Worker:
        if self._worker is None:
            self._worker = open_worker(
                self.config, self.log, self.store, line_factory(self.config), SystemClock()
            )
            self._worker.start()
        return self._worker

    def event(self, **fields) -> dict:
        """Return an event that no one has seen yet."""
        self.made += 1
        x = self.random.gauss(0, 1)
        return {"id": f"e{self.made}", "at": now_ms(), "x": x, "z": 1.5} | fields

    def append(self, *events: dict, topic: str | None = None) -> None:
        records = [
            NewRecord(
                topic or self.config.events_topic,
                str(event.get("id")).encode(),
                msgspec.json.encode(event),
            )
            for event in events
        ]
        self.log.sink().append(records).offsets()

    def learn(self, count: int = 20) -> None:
        """Let the worker learn from labelled events, and commit one checkpoint."""
        events = [self.event() for _ in range(count)]
        self.append(*(event | {"late": event["x"] > 0} for event in events))
        wanted = self.worker.line.counts.events + count
        self.worker.run(lambda: self.worker.line.counts.events >= wanted)

    def work(self) -> dict:
        """Let the worker catch up; return the status it committed."""
        self.worker.run(lambda: False, until_caught_up=True)
        newest = self.store.newest()
        assert newest is not None
        return newest.status

    def records(self, topic: str | None = None) -> list:
        source = self.log.source([topic or self.config.events_topic])
        found = []
        while any(source.lag().values()):
            found += source.poll(1000, 0.25)
        source.close()
        return found

    def served(self, **options) -> ServedStream:
        log = options.pop("log", self.log)
        return ServedStream(
            self.config, log, self.store, SystemClock(), **({"poll_seconds": 0.02} | options)
        )

    @contextmanager
    def api(self, *streams: ServedStream, **options) -> Iterator[httpx.Client]:
        """Serve over real HTTP; the client's ``extensions`` stay untouched."""
        served = list(streams) or [self.served()]
        head_seconds = self.config.api.body_timeout / 1000
        with (
            running(create_app(served, **options), head_seconds) as url,
            httpx.Client(base_url=url) as client,
        ):
            client.headers["content-type"] = "application/json"
            yield client

    def close(self) -> None:
        self.log.close()
        self.store.close()


@contextmanager
def running(app, head_seconds: float = 30.0) -> Iterator[str]:
    """Run an application under uvicorn in a thread."""
    stops: list[bool] = []
    listener = listen("127.0.0.1", 0)
    server = ApiServer(app, listener, should_stop=lambda: bool(stops), head_seconds=head_seconds)
    thread = Thread(target=server.run)
    thread.start()
    eventually(lambda: server.started)
    try:
        yield server.url
    finally:
        stops.append(True)
        thread.join(20)
        assert not thread.is_alive()


def eventually(holds: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait until something holds, and fail where it does not in time."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.01)


def now_ms() -> int:
    return round(time.time() * 1000)


@pytest.fixture
def make_world(tmp_path) -> Iterator[Callable[..., World]]:
    worlds = []

    def make(**sections) -> World:
        folder = tmp_path / f"world{len(worlds)}"
        folder.mkdir()
        worlds.append(World(folder, **sections))
        return worlds[-1]

    yield make
    for world in worlds:
        world.close()


@pytest.fixture
def world(make_world) -> World:
    """A stream whose worker has learned from 20 events."""
    made = make_world()
    made.learn()
    return made


@pytest.fixture
def wait() -> Callable[..., None]:
    return eventually
