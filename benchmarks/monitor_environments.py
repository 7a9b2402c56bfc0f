"""Peers in virtual environments of their own, since what they depend on conflicts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.monitor_streams import Stream

ROOT = Path(__file__).parents[1]
HOME = ROOT / ".cache" / "bench"
# Evidently does not import with pandas 3, and NannyML needs statsmodels without saying so.
PINS = {
    "evidently": ("evidently==0.7.23", "pandas==2.3.3"),
    "nannyml": ("nannyml==0.13.1", "pandas==3.1.1", "statsmodels==0.15.0"),
}
SHOWN = ("pandas", "numpy", "scipy")
INSTALL_SECONDS_MAX = 480


@dataclass(slots=True)
class Peer:
    """A peer that is waiting for jobs, or the reason why there is none.

    Parameters
    ----------
    name
        Of its package.
    process
        None where it could not be installed.
    why
        What it died of, or why it could not be installed; else empty.
    """

    name: str
    process: subprocess.Popen[str] | None = None
    why: str = ""

    def ask(self, task: str, **job: Any) -> dict[str, Any]:
        """Return the answer to one job, or `{"error": ...}`.

        Parameters
        ----------
        task
            A name in `monitor_peers.TASKS`, after the peer's own name and `_`.
        job
            What it takes, such as paths of .npy files.
        """
        if self.process is None or self.process.stdin is None or self.process.stdout is None:
            return {"error": self.why}
        name = task if task == "versions" else f"{self.name}_{task}"
        self.process.stdin.write(json.dumps({"task": name, **job}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            self.why, self.process = "the peer's process ended", None
            return {"error": self.why}
        answer: dict[str, Any] = json.loads(line)
        return answer

    def alarms(self, stream: Stream, pane: int, *, more: bool = False) -> dict[str, Any]:
        """Return the peer's alarms on a stream; see `monitor_peers`."""
        with files(stream) as paths:
            return self.ask("alarms", **paths, pane=pane, more=more)

    def versions(self) -> dict[str, str]:
        """Return what is installed in its environment; empty where it is not."""
        found: dict[str, str] = self.ask("versions", names=[self.name, *SHOWN]).get("versions", {})
        return found


@contextmanager
def files(stream: Stream) -> Iterator[dict[str, Any]]:
    """Keep a stream in .npy files, for as long as the block lasts."""
    with tempfile.TemporaryDirectory() as folder:
        paths = {part: f"{folder}/{part}.npy" for part in ("reference", "current")}
        np.save(paths["reference"], stream.reference)
        np.save(paths["current"], stream.current)
        yield {**paths, "categorical": list(stream.categorical)}


@contextmanager
def peers() -> Iterator[dict[str, Peer]]:
    """Start the peers, install them where that was not done yet, and end them."""
    started: dict[str, Peer] = {}
    try:
        for name, pins in PINS.items():
            why = _install(name, pins)
            started[name] = Peer(name, None if why else _start(name), why)
        yield started
    finally:
        for peer in started.values():
            if peer.process is not None and peer.process.stdin is not None:
                peer.process.stdin.close()
                peer.process.wait()


def _start(name: str) -> subprocess.Popen[str]:
    quiet = {"DO_NOT_TRACK": "1", "NML_DISABLE_USAGE_LOGGING": "1"}
    # Threads that wait for work would count as CPU time.
    quiet |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [_python(name), str(ROOT / "benchmarks" / "monitor_peers.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **quiet},
    )


def _python(name: str) -> str:
    return str(HOME / name / "bin" / "python")


def _install(name: str, pins: tuple[str, ...]) -> str:
    """Make a peer's environment; the reason if that fails."""
    marker = HOME / name / ".installed"
    if marker.exists() and marker.read_text() == "\n".join(pins):
        return ""
    sys.stderr.write(
        f"installing {' '.join(pins)} into .cache/bench/{name} (about a minute, once)\n"
    )
    try:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(HOME / name)], check=True)
        pip = [_python(name), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run(
            [*pip, *pins], check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS_MAX
        )
    except subprocess.CalledProcessError as error:
        lines = [line for line in (error.stderr or "").splitlines() if line.startswith("ERROR")]
        last = lines[-1].removeprefix("ERROR: ") if lines else f"exit code {error.returncode}"
        return f"not installed on this Python: {last}"[:200]
    except subprocess.TimeoutExpired:
        return f"not installed within {INSTALL_SECONDS_MAX} s"
    marker.write_text("\n".join(pins))
    return ""
