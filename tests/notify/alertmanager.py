"""A real Alertmanager for tests, from Debian's package, on loopback."""

from __future__ import annotations

import shutil
import urllib.request
from pathlib import Path
from typing import Any

import msgspec

from tests.kafka.broker import free_port
from tests.servers import start_server

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
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [self._path, f"--config.file={self._folder / 'config.yml'}"]
        command += [f"--web.listen-address=127.0.0.1:{self.port}", "--cluster.listen-address="]
        command += [f"--storage.path={self._folder / 'data'}"]
        self._process = start_server(command, self._folder, f"{self.url}/-/ready")

    def stop(self) -> None:
        """Stop it."""
        self._process.terminate()
        self._process.wait(30)

    def alerts(self) -> list[Any]:
        """Return the alerts that it holds, through its own API."""
        with urllib.request.urlopen(f"{self.url}/api/v2/alerts", timeout=5) as answer:
            return msgspec.json.decode(answer.read())
