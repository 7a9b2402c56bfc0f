"""A real MLflow tracking server for tests: SQLite and files in a folder, on loopback."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path


class LocalMlflow:
    """A server that can be started and stopped, and keeps what it was told."""

    def __init__(self, folder: Path) -> None:
        beside = Path(sys.executable).parent / "mlflow"
        path = shutil.which(str(beside)) or shutil.which("mlflow")
        if path is None:
            raise FileNotFoundError("mlflow; pip install mlflow")
        self._path, self._folder = path, folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers; the first time it makes its tables."""
        command = [self._path, "server", "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--backend-store-uri", f"sqlite:///{self._folder / 'mlflow.db'}"]
        command += ["--artifacts-destination", str(self._folder / "artifacts"), "--workers", "1"]
        environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"}
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=self._folder, env=environment,
                start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(f"{self.url}/health", timeout=5).close()
            except OSError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    print((self._folder / "log").read_text()[-2_000:])
                    raise
                time.sleep(0.2)
            else:
                return

    def stop(self) -> None:
        """Stop it, and the workers that it started."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, 15)
            self._process.wait(30)
