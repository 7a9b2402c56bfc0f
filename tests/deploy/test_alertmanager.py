"""The real Alertmanager with the deployment's own file: whoever is told, is told once."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.conftest import DEPLOY, alerts, find_program, read
from tests.kafka.broker import free_port

PAIRS = [
    # What the worker tells, and what Prometheus sees of the same.
    ("RiverrunLearningPaused", "critical", "RiverrunMonitorHalted"),
    ("RiverrunDrift", "warning", "RiverrunConceptDrift"),
    ("RiverrunDrift", "warning", "RiverrunDriftUnanswered"),
    ("RiverrunDrift", "warning", "RiverrunValueSkew"),
    ("RiverrunSkew", "warning", "RiverrunValueSkew"),
    ("RiverrunRetrainFailed", "warning", "RiverrunRetrainFails"),
    ("RiverrunRolledBack", "warning", "RiverrunModelCameBack"),
    ("RiverrunHalted", "critical", "RiverrunWorkerStopped"),
]


class Served:
    """An Alertmanager at work."""

    def __init__(self, folder: Path) -> None:
        self._port = free_port()
        program = find_program("prometheus-alertmanager", "prometheus-alertmanager")
        command = [program, f"--config.file={DEPLOY / 'alertmanager' / 'alertmanager.yml'}"]
        command += [f"--web.listen-address=127.0.0.1:{self._port}", "--cluster.listen-address="]
        with (folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, f"--storage.path={folder / 'data'}"], stdout=log, stderr=log
            )
        self.wait_for(self.all)

    def wait_for(self, ask: Any) -> Any:
        deadline = time.monotonic() + 30
        while True:
            try:
                if (found := ask()) is not None:
                    return found
            except OSError:
                assert self._process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def post(self, name: str, severity: str, stream: str) -> None:
        """Post an alert, as worker and Prometheus do."""
        labels = {"alertname": name, "severity": severity, "stream": stream}
        body = json.dumps([{"labels": labels}]).encode()
        url = f"http://127.0.0.1:{self._port}/api/v2/alerts"
        kind = {"Content-Type": "application/json"}
        urllib.request.urlopen(urllib.request.Request(url, body, kind), timeout=5).close()

    def all(self) -> list[dict[str, Any]]:
        """Return the alerts that it holds."""
        url = f"http://127.0.0.1:{self._port}/api/v2/alerts"
        with urllib.request.urlopen(url, timeout=5) as answer:
            found: list[dict[str, Any]] = json.load(answer)
            return found

    def state(self, name: str, stream: str) -> str | None:
        """Return whether an alert is told (active) or held back (suppressed)."""
        for alert in self.all():
            if (alert["labels"]["alertname"], alert["labels"]["stream"]) == (name, stream):
                state: str = alert["status"]["state"]
                return None if state == "unprocessed" else state
        return None

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(30)


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = Served(tmp_path_factory.mktemp("alertmanager"))
    yield served
    served.stop()


@pytest.mark.parametrize(("workers", "severity", "own"), PAIRS)
def test_what_the_worker_has_told_is_not_told_again_and_other_streams_are(
    manager, workers, severity, own
):
    mine, other = f"s-{workers}-{own}", f"other-{workers}-{own}"
    level = alerts()[own]["labels"]["severity"]
    manager.post(workers, severity, mine)
    manager.wait_for(lambda: manager.state(workers, mine))
    manager.post(own, level, mine)
    manager.post(own, level, other)

    def settled() -> bool | None:
        return manager.state(own, mine) == "suppressed" or None

    manager.wait_for(settled)
    assert manager.wait_for(lambda: manager.state(own, other)) == "active"
    assert manager.state(workers, mine) == "active"


def test_every_pair_of_the_file_is_tried():
    """Each inhibition by something that the worker tells stands among the pairs above."""
    told = {workers for workers, _, _ in PAIRS}
    known = set(alerts())
    for rule in read("alertmanager/alertmanager.yml")["inhibit_rules"]:
        sources = str(rule["source_matchers"]).split('"')[1].split("|")
        assert all(source in known or source in told for source in sources)
