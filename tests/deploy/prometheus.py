"""A real Prometheus for tests, from Debian's package, on loopback."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from tests.deploy.conftest import DEPLOY
from tests.kafka.broker import free_port
from tests.servers import start_server


class LocalPrometheus:
    """A Prometheus with the deployment's own configuration, but for addresses and pace.

    Parameters
    ----------
    program
        Its path.
    folder
        For its data.
    addresses
        What stands in the file, and what is there instead.
    """

    def __init__(self, program: str, folder: Path, addresses: dict[str, str]) -> None:
        self._program, self._folder = program, folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        text = (DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")
        addresses = addresses | {
            "/etc/prometheus/rules": str(DEPLOY / "prometheus" / "rules"),
            "localhost:9090": f"127.0.0.1:{self.port}",
            "_interval: 10s": "_interval: 1s",
        }
        for here, there in addresses.items():
            assert here in text, here
            text = text.replace(here, there)
        (folder / "prometheus.yml").write_text(text, encoding="utf-8")

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [self._program, f"--config.file={self._folder / 'prometheus.yml'}"]
        command += [f"--storage.tsdb.path={self._folder / 'data'}"]
        command += [f"--web.listen-address=127.0.0.1:{self.port}"]
        self._process = start_server(command, self._folder, f"{self.url}/-/ready")

    def stop(self) -> None:
        """Stop it."""
        self._process.terminate()
        self._process.wait(30)

    def ask(self, path: str, **parameters: object) -> Any:
        """Return the data of an answer; an error of the query fails the test."""
        body = urllib.parse.urlencode(parameters, doseq=True).encode()
        url = f"{self.url}/api/v1/{path}"
        request = urllib.request.Request(f"{url}?{body.decode()}")
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from None

    def now(self, query: str) -> list[dict[str, Any]]:
        """Return the samples of an instant query."""
        found: list[dict[str, Any]] = self.ask("query", query=query)["result"]
        return found

    def over(self, query: str, start: float, end: float) -> list[dict[str, Any]]:
        """Return the series of a range query."""
        parts = {"query": query, "start": start, "end": end, "step": 2}
        found: list[dict[str, Any]] = self.ask("query_range", **parts)["result"]
        return found
