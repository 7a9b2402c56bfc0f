"""A real MLflow tracking server for tests: SQLite and files in a folder, on loopback."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from tests.kafka.broker import free_port
from tests.servers import start_server


class LocalMlflow:
    """A server that can be started and stopped, and keeps what it was told."""

    def __init__(self, folder: Path) -> None:
        beside = Path(sys.executable).parent / "mlflow"
        path = shutil.which(str(beside)) or shutil.which("mlflow")
        if path is None:
            raise FileNotFoundError("mlflow; pip install mlflow")
        self._path, self._folder = path, folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers; the first time it makes its tables."""
        command = [self._path, "server", "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--backend-store-uri", f"sqlite:///{self._folder / 'mlflow.db'}"]
        command += ["--artifacts-destination", str(self._folder / "artifacts"), "--workers", "1"]
        environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"}
        self._process = start_server(
            command, self._folder, f"{self.url}/health", 120, env=environment,
            start_new_session=True,
        )  # fmt: skip

    def stop(self) -> None:
        """Stop it, and the workers that it started."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, 15)
            self._process.wait(30)
