"""What the fault tests share: the record of promises, its table, and what runs only if asked."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path

import pytest

from tests.faults.promises import PROMISES, Figures, Record, by_promise, collect, write
from tests.faults.scene import Scene
from tests.kafka.broker import LocalKafka

_PROPERTY = "promise"
_told = pytest.StashKey[list[tuple[str, list[str], Figures]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what ``make test-faults ARGS=...`` takes."""
    group = parser.getgroup("faults")
    group.addoption("--all", action="store_true", help="Also the faults that take minutes.")
    group.addoption(
        "--write-promises", action="store_true", help="Write the figures to docs/promises.json."
    )


def pytest_configure(config: pytest.Config) -> None:
    """Name the marks."""
    config.stash[_told] = []
    config.addinivalue_line("markers", "promise(*keys): the promises that a test is for")
    config.addinivalue_line("markers", "slow_fault: takes minutes, and runs only with --all")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the slow ones for ``--all``."""
    if config.getoption("--all", default=False):
        return
    slow = [item for item in items if item.get_closest_marker("slow_fault")]
    for item in slow:
        item.add_marker(pytest.mark.skip(reason="takes minutes; run with --all"))


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Iterator[Record]:
    """Return what a test writes down: faults injected, events compared, lost and learned twice.

    A test that passes has survived its faults; of one that fails none counts as survived.
    """
    marks = list(request.node.iter_markers("promise"))
    keys = [key for mark in marks for key in mark.args]
    assert keys, "a fault test says by pytest.mark.promise(...) which promise it is for"
    assert set(keys) <= set(PROMISES), f"unknown promise among {keys}"
    made = Record(keys)
    request.node.stash[_record] = made
    yield made
    if not request.node.stash.get(_failed, False):
        made.assert_nothing_lost()
        assert made.figures.faults, "no fault was injected"


@pytest.fixture(params=["sqlite", "kafka"])
def log_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of each log."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'log.db'}"
    broker: LocalKafka = request.getfixturevalue("kafka_broker")
    return broker.url


@pytest.fixture
def scene_of(log_url: str, tmp_path: Path, record: Record) -> Callable[..., Scene]:
    """Return what makes a scene on each log, with a store in a file; see ``Scene``."""
    return partial(Scene, log_url, f"sqlite:///{tmp_path / 'store.db'}", tmp_path, record)


_record = pytest.StashKey[Record]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Iterator[None]:  # the report of each phase travels to the process that prints the table
    """Give the record to the report of the teardown, which is the last."""
    report = yield
    made = item.stash.get(_record, None)
    if made is None:
        return report
    if report.failed:
        item.stash[_failed] = True
    if report.when == "teardown":
        figures = made.figures
        figures.survived = 0 if item.stash.get(_failed, False) else figures.faults
        name = f"{item.path.name}::{item.nodeid.rpartition('::')[2].partition('[')[0]}"
        report.user_properties.append((_PROPERTY, (name, made.promises, asdict(figures))))
    return report


_failed = pytest.StashKey[bool]()


class _Collector:
    """Hears every report, of whichever process."""

    def __init__(self, told: list[tuple[str, list[str], Figures]]) -> None:
        self._told = told

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what a test wrote down."""
        if report.when == "teardown":
            found = [value for name, value in report.user_properties if name == _PROPERTY]
            self._told += [(test, keys, Figures(**figures)) for test, keys, figures in found]


def pytest_sessionstart(session: pytest.Session) -> None:
    """Listen, but in the processes of xdist: their reports are heard once, where they arrive."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        session.config.pluginmanager.register(_Collector(session.config.stash[_told]))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the promises table, and write it down where that was asked for."""
    found = collect(config.stash[_told])
    if not found:
        return
    terminalreporter.section("promises")
    row = "{:<20}{:>10}{:>10}{:>10}{:>7}{:>7}"
    terminalreporter.write_line(
        row.format("promise", "faults", "survived", "events", "lost", "twice")
    )
    for key, promise in by_promise(found).items():
        one = promise.figures
        figures = (one.faults, one.survived, f"{one.events:,}", one.lost, one.twice)
        terminalreporter.write_line(row.format(key, *figures))
    if config.getoption("--write-promises", default=False):
        write(found)
        terminalreporter.write_line("written to docs/promises.json")
