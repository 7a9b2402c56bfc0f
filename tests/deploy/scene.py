"""A stream that has everything a dashboard shows: labels, drift, a race, a promotion, trouble."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import msgspec

from stream.logs.sqlite_log import SqliteLog
from stream.records import NewRecord
from stream.storage.store import Store
from tests.deploy.conftest import ROOT
from tests.kafka.broker import free_port

_PIPELINE = (
    "(compose.SelectType(str) | preprocessing.OneHotEncoder()) + "
    "(compose.SelectType(int, float) | preprocessing.StandardScaler()) | "
    "linear_model.LogisticRegression("
)
CONFIG = f"""\
[stream]
name = "shop"
broker = "sqlite:///log.db"
store = "sqlite:///riverrun.db"

[event]
id = "id"
time = "at"
label = "late"

[model]
task = "binary"
pipeline = "{_PIPELINE})"
window = 500

[[model.candidates]]
name = "quick"
pipeline = "{_PIPELINE}optim.Adam(0.01))"

[checkpoint]
min_interval = "100ms"
max_interval = "300ms"

[monitor]
warmup_events = 2000
pane_events = 200
reference_losses = 600
min_values = 50
spans = [1, 4]
detector = "none"

[retrain]
min_events = 300
min_labels = 200
rung = 200
probation = 800
max_labels = 4000

[api]
port = PORT

[alerts]
webhook = "http://127.0.0.1:1/nobody-listens"
alertmanager = "ALERTMANAGER"
"""


class Shop:
    """The stream, with ``riverrun up`` working on it in a process of its own."""

    def __init__(self, folder: Path, alertmanager: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        text = CONFIG.replace("PORT", str(self.port)).replace("ALERTMANAGER", alertmanager)
        (folder / "riverrun.toml").write_text(text, encoding="utf-8")
        self._random = random.Random(3)
        self._made = 0
        self._turned = False

    def start(self) -> None:
        """Start worker and API, and wait for the API."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("RIVERRUN_")}
        with (self.folder / "up.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "serve.cli", "up"],
                cwd=self.folder,
                env=kept | {"PYTHONPATH": str(ROOT)},
                stdout=log,
                stderr=log,
            )
        self.wait_for(lambda: self.get("/healthz"), "the API")
        self._log = SqliteLog(self.folder / "log.db", busy_seconds=10.0)
        self._store = Store(f"sqlite:///{self.folder}/riverrun.db", "shop")

    def stop(self) -> None:
        """Stop it in order."""
        self._log.close()
        self._store.close()
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(30)

    def turn(self) -> None:
        """Let the world change: another concept, and another distribution of a feature."""
        self._turned = True

    def send(self, count: int) -> None:
        """Send labelled events."""
        self._append([self.event() for _ in range(count)])

    def event(self, **fields: object) -> dict[str, Any]:
        """Return an event with its label."""
        self._made += 1
        x, kind = self._random.gauss(0, 1), self._random.choice(["a", "b", "c"])
        late = (
            (x > 0) != self._turned if self._random.random() < 0.9 else self._random.random() < 0.5
        )
        y = self._random.gauss(2.0 if self._turned else 0.0, 1)
        found = {"id": f"e{self._made}", "at": round(time.time() * 1000), "x": x, "y": y}
        return found | {"kind": kind, "late": late} | fields

    def spoil(self, count: int) -> None:
        """Send what cannot be used, for several reasons."""
        self._append([{"x": 1.0, "kind": "a"} for _ in range(count)])
        self._append([self.event(x="text") for _ in range(count)])

    def ask(self, count: int) -> None:
        """Ask the API, rightly and wrongly."""
        for _ in range(count):
            event = {k: v for k, v in self.event().items() if k != "late"}
            self.post("/v1/streams/shop/predict", {"event": event})
        self.post("/v1/streams/shop/predict", {"event": 5})
        self.get("/v1/streams/nobody")

    def status(self) -> dict[str, Any]:
        """Return the newest checkpoint's status; empty before one."""
        newest = self._store.newest()
        return {} if newest is None else newest.status

    def went_through(self, state: str) -> bool:
        """Whether some run came to a state."""
        return bool(((self.status().get("retrain") or {}).get("changes") or {}).get(state))

    def drifts(self) -> int:
        """How often the loss was found to have changed."""
        totals = (self.status().get("monitor") or {}).get("totals") or {}
        return sum((totals.get("drifts") or {}).values())

    def wait_for(self, ask: Any, what: str, seconds: float = 90.0) -> None:
        """Ask until it is so."""
        deadline = time.monotonic() + seconds
        while not ask():
            if time.monotonic() > deadline or self._process.poll() is not None:
                log = (self.folder / "up.log").read_text()[-3000:]
                raise AssertionError(f"{what} did not come:\n{log}")
            time.sleep(0.1)

    def get(self, path: str) -> bool:
        """Get a page; return whether anybody answered."""
        return self._ask(urllib.request.Request(self.url + path))

    def post(self, path: str, body: object) -> bool:
        """Post JSON; return whether anybody answered."""
        kind = {"Content-Type": "application/json"}
        return self._ask(urllib.request.Request(self.url + path, json.dumps(body).encode(), kind))

    def _ask(self, request: urllib.request.Request) -> bool:
        try:
            urllib.request.urlopen(request, timeout=10).close()
        except urllib.error.HTTPError as error:
            error.close()
        except OSError:
            return False
        return True

    def _append(self, events: list[dict[str, Any]]) -> None:
        topic = "shop.events"
        records = [
            NewRecord(topic, str(event.get("id", "")).encode() or None, msgspec.json.encode(event))
            for event in events
        ]
        self._log.sink().append(records).offsets()
