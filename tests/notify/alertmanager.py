"""A real Alertmanager for tests, from Debian's package, on loopback."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import msgspec

CONFIG = """\
route:
  receiver: pager
  group_by: [alertname, stream]
  group_wait: 0s
  group_interval: 1s
receivers:
  - name: pager
    webhook_configs:
      - url: {url}
        send_resolved: true
"""


class LocalAlertmanager:
    """An Alertmanager in a folder, that passes on to a webhook."""

    def __init__(self, folder: Path, pager: str) -> None:
        path = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
        if path is None:
            raise FileNotFoundError(
                "Alertmanager; on Debian: apt-get install prometheus-alertmanager"
            )
        self._path, self._folder = path, folder
        (folder / "config.yml").write_text(CONFIG.format(url=pager))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [self._path, f"--config.file={self._folder / 'config.yml'}"]
        command += [f"--web.listen-address=127.0.0.1:{self.port}", "--cluster.listen-address="]
        command += [f"--storage.path={self._folder / 'data'}"]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self._folder)
        deadline = time.monotonic() + 30
        while True:
            try:
                urllib.request.urlopen(f"{self.url}/-/ready", timeout=5).close()
            except OSError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise
                time.sleep(0.1)
            else:
                return

    def stop(self) -> None:
        """Stop it."""
        self._process.terminate()
        self._process.wait(30)

    def alerts(self) -> list[Any]:
        """Return the alerts that it holds, through its own API."""
        with urllib.request.urlopen(f"{self.url}/api/v2/alerts", timeout=5) as answer:
            return msgspec.json.decode(answer.read())
