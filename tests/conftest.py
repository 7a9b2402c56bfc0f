"""Fixtures that several folders of tests share."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadFileScheduling

with warnings.catch_warnings():
    # kafka-python 3.0.12 reads its schemas in a way that Python 3.11 and 3.12 deprecate.
    warnings.simplefilter("ignore", DeprecationWarning)
    import kafka  # noqa: F401

from tests.kafka.broker import KafkaMissingError, LocalKafka
from tests.postgres import LocalPostgres

# Machines are shared: how long an input takes to make says nothing about the code.
settings.register_profile("riverrun", suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("riverrun")


SLOWEST = (
    "kafka",
    "browser",
    "tests/cli/test_models.py",
    "tests/stream/test_reproduce.py",
    "tests/cli/test_demo_breaks.py",
    "tests/docs/test_lifecycle_doc.py",
    "tests/cli/test_alerts.py",
    "tests/cli/test_dead_letters.py",
    "tests/serve/test_workers.py",
    "tests/monitor/test_monitor_false_alarms.py",
    "tests/cli/test_demo.py",
    "tests/deploy/test_compose_processes.py",
    "tests/cli/test_worker.py",
    "tests/cli/test_up.py",
    "tests/stream/test_lifecycle.py",
    "tests/docs/test_serving_doc.py",
)
"""What takes longest goes first, so that nobody waits for it at the end."""


class OneBroker(LoadFileScheduling):
    """Gives each file to one process, and what shares a broker or a browser to one as a whole."""

    is_ordered = False

    def _split_scope(self, nodeid: str) -> str:
        if "kafka" in nodeid:
            return "kafka"
        return "browser" if nodeid.startswith("tests/browser/") else nodeid.partition("::")[0]

    def _assign_work_unit(self, node: Any) -> None:
        if not self.is_ordered:
            self.is_ordered = True
            for scope in reversed(SLOWEST):
                if scope in self.workqueue:
                    self.workqueue.move_to_end(scope, last=False)
        super()._assign_work_unit(node)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneBroker:
    """Let tests run in several processes without a broker for each."""
    return OneBroker(config, log)


def real_thing(error: Exception) -> None:
    """Skip on a laptop where something real is missing; in CI that is a failure."""
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(str(error))
    pytest.skip(str(error))


@pytest.fixture(scope="session")
def kafka_broker() -> Iterator[LocalKafka]:
    """Return a running Apache Kafka that all tests share; they use topics of their own."""
    try:
        broker = LocalKafka(has_doors=True, is_brief=True)
    except KafkaMissingError as error:
        real_thing(error)
        raise
    try:
        broker.start()
        yield broker
    finally:
        broker.remove()


@pytest.fixture(scope="session")
def postgres() -> Iterator[LocalPostgres]:
    """Start PostgreSQL; without it skip on a laptop and fail in CI."""
    try:
        server = LocalPostgres()
    except (FileNotFoundError, KeyError) as missing:
        real_thing(missing)
        raise
    server.start()
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty store, on each database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    server: LocalPostgres = request.getfixturevalue("postgres")
    return server.url(f"t{uuid4().hex}")
