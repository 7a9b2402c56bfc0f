"""The commands themselves, ``riverrun worker`` and the rest, as processes of a scene."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from tests.faults.promises import ROOT
from tests.faults.scene import Scene
from tests.kafka.broker import free_port
from tests.lines import make_config

PATIENCE = 120
"""Seconds that a test waits for anything on a busy machine."""


class Program:
    """One command in a process of its own, with what it says in a file.

    Parameters
    ----------
    scene
        Whose configuration it runs with.
    folder
        Where that is written, and where it runs.
    arguments
        The command and its options.
    env
        Added to the environment.
    limits
        What the shell is told before, such as ``ulimit -n 64``.
    """

    def __init__(
        self,
        scene: Scene,
        folder: Path,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        limits: str = "",
    ) -> None:
        config = folder / "riverrun.toml"
        made = make_config(**scene.sections)
        tables = made.model_dump(mode="json", exclude_none=True, exclude_unset=True)
        config.write_text(as_toml(tables), encoding="utf-8")
        self._said = folder / f"{arguments[0]}-{time.monotonic_ns()}.log"
        kept = {k: v for k, v in os.environ.items() if not k.startswith("RIVERRUN_")}
        command = [sys.executable, "-m", "serve.cli", *arguments, "--config", str(config)]
        if limits:
            command = ["bash", "-c", f'{limits}; exec "$@"', "--", *command]
        with self._said.open("wb") as said:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env=kept | {"PYTHONPATH": str(ROOT)} | dict(env or {}),
                stdout=said,
                stderr=said,
            )

    @property
    def said(self) -> str:
        """What it has printed."""
        return self._said.read_text(encoding="utf-8", errors="replace")

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def end(self) -> int:
        """Wait for its end; return the exit code."""
        return self.process.wait(PATIENCE)

    def terminate(self) -> int:
        """Send SIGTERM, and wait."""
        self.signal(signal.SIGTERM)
        return self.end()

    def kill(self) -> None:
        """End it, whatever it does: for a test that failed."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Asked:
    """A client of a scene's API that runs, or will, on a port of its own."""

    def __init__(self, scene: Scene, port: int | None = None) -> None:
        self.port = port or free_port()
        scene.sections["api"] = scene.sections.get("api", {}) | {"port": self.port}
        self._stream = f"/v1/streams/{scene.name}"
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=30)

    def is_ready(self) -> bool:
        """Return whether it answers and has a model."""
        try:
            ready = self.http.get("/readyz")
        except httpx.TransportError:
            return False
        return ready.status_code == 200 and "none yet" not in ready.text

    def predict(self, event: Mapping[str, Any]) -> httpx.Response:
        """Ask for a prediction that is recorded."""
        return self.http.post(f"{self._stream}/predict", json={"event": event})


def wait_for(what: Callable[[], Any], why: str, *programs: Program) -> None:
    """Wait for a condition; fail with what programs said where it does not come."""
    deadline = time.monotonic() + PATIENCE
    while not what():
        said = "\n".join(program.said[-2_000:] for program in programs)
        ended = [program.process.poll() for program in programs]
        assert not any(code is not None for code in ended), f"{ended} before {why}\n{said}"
        assert time.monotonic() < deadline, f"{why} did not come\n{said}"
        time.sleep(0.05)


def read_so_far(scene: Scene) -> int:
    """Return how many records the newest checkpoint has read."""
    store = scene.store()
    newest = store.newest()
    store.close()
    return 0 if newest is None else int(newest.status["counts"]["read"])


def as_toml(sections: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a configuration as its file; what is None is left out."""
    lines: list[str] = []
    for name, table in sections.items():
        lines.append(f"[{name}]")
        lines += [f"{key} = {_value(value)}" for key, value in table.items() if value is not None]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value)
