"""What docker-compose.yml would run, run here: the same commands, configuration and environment.

Only addresses and paths are others: those of containers become those of this machine.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import real_thing
from tests.deploy.compose_file import composed, mounts
from tests.deploy.conftest import ROOT, find_program
from tests.kafka.broker import KafkaMissingError, LocalKafka, free_port
from tests.postgres import LocalPostgres

SECRETS = {
    "POSTGRES_PASSWORD": "not-checked-here",
    "RIVERRUN_SECRET": uuid.uuid4().hex,
    "RIVERRUN_API_OPERATOR_KEY": uuid.uuid4().hex + "operator",
    "RIVERRUN_API_VIEWER_KEY": uuid.uuid4().hex + "viewer",
    "GRAFANA_PASSWORD": "grafana-is-not-run",
}
SERVICES = composed(SECRETS)["services"]
_STORE = f"postgresql+psycopg://riverrun:{SECRETS['POSTGRES_PASSWORD']}@postgres/riverrun"


class ComposeKafka(LocalKafka):
    """A broker with the environment of the compose file as its properties."""

    def start(self) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        controller = free_port()
        here = {
            "/var/lib/kafka/data": str(self.data / "log"),
            "1@kafka:9093": f"1@127.0.0.1:{controller}",
            "CONTROLLER://:9093": f"CONTROLLER://127.0.0.1:{controller}",
            "INTERNAL://kafka:19092": f"INTERNAL://127.0.0.1:{self.port}",
            "INTERNAL://:19092": f"INTERNAL://127.0.0.1:{self.port}",
            "HOST://:9092": f"HOST://127.0.0.1:{self.sasl_port}",
            "HOST://127.0.0.1:9092": f"HOST://127.0.0.1:{self.sasl_port}",
        }
        lines = []
        for name, value in SERVICES["kafka"]["environment"].items():
            text = str(value)
            for there, mine in here.items():
                text = text.replace(there, mine)
            # As the image's start script does.
            lines.append(f"{name.removeprefix('KAFKA_').lower().replace('_', '.')}={text}")
        self._properties.write_text("\n".join(lines) + "\n")
        with self.log_file.open("ab") as out:
            arguments = ["format", "-t", str(uuid.uuid4()), "-c", str(self._properties)]
            command = self._java("kafka.tools.StorageTool", arguments)
            subprocess.run(command, stdout=out, stderr=out, check=True)
            self._process = subprocess.Popen(
                self._java("kafka.Kafka", [str(self._properties)]),
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self._wait()


class Composed:
    """The services as processes of this machine."""

    def __init__(self, folder: Path, broker: str, store: str) -> None:
        self.folder = folder
        self.ports = {name: free_port() for name in ("api", "prometheus", "alertmanager")}
        self._here = {
            "kafka://kafka:19092": broker,
            _STORE: store,
            "0.0.0.0": "127.0.0.1",
        } | {
            f"{name}:{port}": f"127.0.0.1:{self.ports[name]}"
            for name, port in (("api", 8000), ("alertmanager", 9093))
        }
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def here(self, text: str, name: str) -> str:
        """Return a text of a service with its paths and addresses on this machine."""
        known = dict(self._here)
        for target, (source, _) in mounts(SERVICES[name]).items():
            mine = ROOT / source if source.startswith("./") else self.folder / source
            known[target] = str(mine)
        if name == "prometheus":
            known["/etc/prometheus/prometheus.yml"] = str(self.folder / "prometheus.yml")
        # All at once, the longest first: what stands there already is left alone.
        places = [
            (r"(?<![\w/.-])" if one.startswith("/") else r"(?<![\w.-])") + re.escape(one)
            for one in sorted(known, key=len, reverse=True)
        ]
        return re.sub(rf"(?:{'|'.join(places)})(?![\w.-])", lambda m: known[m[0]], text)

    def configure_prometheus(self) -> None:
        """Write its file with the addresses of this machine: they stand in it, not in a command."""
        text = (ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")
        text = text.replace("_interval: 10s", "_interval: 1s")
        (self.folder / "prometheus.yml").write_text(self.here(text, "prometheus"))

    def environment(self, name: str) -> dict[str, str]:
        """Return the environment of a service."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("RIVERRUN_")}
        told = SERVICES[name].get("environment", {})
        own = {key: self.here(str(value), name) for key, value in told.items()}
        port = {"RIVERRUN_API__PORT": str(self.ports["api"])} if name == "api" else {}
        return kept | own | port | {"PYTHONPATH": str(ROOT)}

    def start(self, name: str, program: list[str], *more: str) -> None:
        """Start a service by its command."""
        command = [self.here(part, name) for part in SERVICES[name]["command"]]
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        with (folder / "log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [*program, *command, *more],
                cwd=folder,
                env=self.environment(name),
                stdout=log,
                stderr=log,
            )

    def run(self, name: str, program: list[str]) -> None:
        """Run a service that ends, to its end."""
        self.start(name, program)
        code = self._running.pop(name).wait(60)
        assert code == 0, (self.folder / name / "log").read_text()[-1500:]

    def check(self, name: str) -> subprocess.CompletedProcess[str]:
        """Run the health check of a service of riverrun's own."""
        program, *rest = SERVICES[name]["healthcheck"]["test"][1:]
        own = {"riverrun": [sys.executable, "-m", "serve.cli"], "python": [sys.executable]}
        rest = [self.here(part, name).replace(":8000/", f":{self.ports['api']}/") for part in rest]
        return subprocess.run(
            [*own[program], *rest],
            cwd=self.folder,
            env=self.environment(name),
            capture_output=True,
            text=True,
            check=False,
        )

    def wait_for(self, ask: Callable[[], Any], what: str, seconds: float = 60.0) -> Any:
        """Ask until it is so."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                if found := ask():
                    return found
            except OSError:
                pass
            gone = [name for name, one in self._running.items() if one.poll() is not None]
            if time.monotonic() > deadline or gone:
                logs = {n: (self.folder / n / "log").read_text()[-1500:] for n in self._running}
                raise AssertionError(f"{what} did not come; ended: {gone}\n{logs}")
            time.sleep(0.2)

    def get(self, name: str, path: str, key: str | None = None, body: object = None) -> Any:
        """Ask a service for JSON."""
        headers = {"Content-Type": "application/json"}
        headers |= {} if key is None else {"Authorization": f"Bearer {key}"}
        data = None if body is None else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.ports[name]}{path}"
        with urllib.request.urlopen(
            urllib.request.Request(url, data, headers), timeout=10
        ) as answer:
            return json.load(answer)

    def stop(self) -> None:
        """Stop all of them in order."""
        for one in reversed(self._running.values()):
            one.terminate()
            one.wait(30)


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, postgres: LocalPostgres
) -> Iterator[Composed]:
    folder = tmp_path_factory.mktemp("compose")
    prometheus = find_program("prometheus", "prometheus")
    alertmanager = find_program("prometheus-alertmanager", "prometheus-alertmanager")
    try:
        kafka = ComposeKafka(is_brief=True)
    except KafkaMissingError as error:
        real_thing(error)
        raise
    made = None
    try:
        kafka.start()
        made = Composed(folder, kafka.url, postgres.url(f"c{uuid.uuid4().hex}"))
        own = [sys.executable, "-m", "serve.cli"]
        made.start(
            "alertmanager",
            [alertmanager],
            f"--web.listen-address=127.0.0.1:{made.ports['alertmanager']}",
        )
        made.run("migrate", own)
        made.start("worker", own)
        made.wait_for(lambda: made.check("worker").returncode == 0, "a healthy worker")
        made.start("api", own)
        made.wait_for(lambda: made.check("api").returncode == 0, "a healthy API")
        made.configure_prometheus()
        made.start(
            "prometheus", [prometheus], f"--web.listen-address=127.0.0.1:{made.ports['prometheus']}"
        )
        yield made
    finally:
        if made is not None:
            made.stop()
        kafka.remove()


def flight(number: int) -> dict[str, Any]:
    return {
        "id": f"f{number}",
        "time": round(time.time() * 1000),
        "carrier": "UA",
        "distance": 700 + number,
    }


def test_an_event_goes_all_the_way_and_only_with_a_key(running):
    with pytest.raises(urllib.error.HTTPError) as refused:
        running.get("api", "/v1/streams/flights/predict", body={"event": flight(0)})
    assert refused.value.code == 401
    refused.value.close()
    operator, viewer = SECRETS["RIVERRUN_API_OPERATOR_KEY"], SECRETS["RIVERRUN_API_VIEWER_KEY"]
    with pytest.raises(urllib.error.HTTPError) as forbidden:
        running.get("api", "/v1/streams/flights/predict", viewer, {"event": flight(0)})
    assert forbidden.value.code == 403
    forbidden.value.close()
    events = [flight(number) | {"late": number % 2 == 0} for number in range(1, 31)]
    running.get("api", "/v1/streams/flights/events", operator, events)

    def learned() -> bool:
        status = running.get("api", "/v1/streams/flights", viewer)["status"]
        return bool(status and status["counts"]["learned"] == 30)

    running.wait_for(learned, "thirty learned events")
    answer = running.get("api", "/v1/streams/flights/predict", operator, {"event": flight(99)})
    assert answer["model_version"] == "v1"


def test_prometheus_takes_its_file_and_its_rules(running):
    found = running.wait_for(
        lambda: running.get("prometheus", "/api/v1/rules")["data"]["groups"], "rules"
    )
    assert len([rule for group in found for rule in group["rules"]]) >= 39


def test_prometheus_scrapes_the_api_without_a_key_and_finds_alertmanager(running):
    def up() -> bool:
        found = running.get("prometheus", "/api/v1/query?query=up==1")["data"]["result"]
        return {one["metric"]["job"] for one in found} >= {"riverrun", "alertmanager"}

    running.wait_for(up, "the scrapes")
    found = running.get("prometheus", "/api/v1/alertmanagers")["data"]["activeAlertmanagers"]
    assert [one["url"] for one in found] == [
        f"http://127.0.0.1:{running.ports['alertmanager']}/api/v2/alerts"
    ]


def test_metrics_are_open_as_prometheus_asks_for_them(running):
    url = f"http://127.0.0.1:{running.ports['api']}/metrics"
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert b"riverrun_events_read_total" in answer.read()


def test_the_worker_reaches_alertmanager_with_what_compose_tells_it(running):
    command = [sys.executable, "-m", "serve.cli", "alerts", "test", "--config"]
    done = subprocess.run(
        [*command, running.here("/etc/riverrun/riverrun.toml", "worker")],
        env=running.environment("worker"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    held = running.get("alertmanager", "/api/v2/alerts")
    assert "RiverrunTest" in {alert["labels"]["alertname"] for alert in held}


def test_postgres_answers_its_health_check(running, postgres):
    program, *rest = SERVICES["postgres"]["healthcheck"]["test"][1:]
    path = shutil.which(program) or str(postgres._bin / program)
    where = ["-h", "127.0.0.1", "-p", str(postgres.port)]
    assert subprocess.run([path, *rest, *where], capture_output=True, check=False).returncode == 0


def test_a_service_that_misses_its_secret_does_not_start(running):
    environment = running.environment("api")
    for name in ("RIVERRUN_API_OPERATOR_KEY", "RIVERRUN_API_VIEWER_KEY"):
        del environment[name]
    environment["RIVERRUN_API__HOST"] = SERVICES["api"]["environment"]["RIVERRUN_API__HOST"]
    command = [running.here(part, "api") for part in SERVICES["api"]["command"]]
    done = subprocess.run(
        [sys.executable, "-m", "serve.cli", *command],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "key" in done.stderr
