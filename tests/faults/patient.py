"""A worker that bears a store that is away, as the command line runs it; and what it says."""

from __future__ import annotations

import itertools
import os
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import structlog
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

import stream.patience as patience_module
import stream.storage.connect as connect_module
import stream.turn_size as turn_size
from serve.cli.signals import stopping
from stream.build import line_factory
from stream.clock import SystemClock
from stream.errors import RiverrunError
from stream.logs.open_log import open_log
from stream.patience import run_patiently
from stream.storage.store import Store
from stream.worker import open_worker
from tests.faults.scene import PROCESSES, Scene
from tests.faults.victim import Killer
from tests.lines import make_config

PATIENCE = 300_000
HURRY = "hurry"


def main(arguments: dict[str, Any], sections: dict[str, Any], folder: str) -> None:
    """Run to the log's end, and leave with the command line's exit code.

    Parameters
    ----------
    arguments
        ``patience``: milliseconds. ``busy``: seconds that it waits for SQLite's lock. ``slow``:
        seconds to sleep after each turn, until somebody waits for its end. ``delay``: seconds
        that each statement takes longer.
        ``drop``, ``at``: at which statements, or ends of transactions, the server ends the
        connection. ``step``, ``times``, ``signal``: as for ``victim.main``.
    sections
        Of the configuration.
    folder
        For the log, a line of JSON each, and the message of what a person would be told.
    """
    number = os.getpid()
    log_file = Path(folder, f"log.{number}").open("a", buffering=1)  # noqa: SIM115 - till the end
    structlog.configure(
        processors=[structlog.processors.JSONRenderer()],
        logger_factory=structlog.WriteLoggerFactory(log_file),
    )
    turn_size._LARGEST = 40
    connect_module._BUSY_SECONDS = arguments.get("busy", 10)
    patience_module._LONGEST_SECONDS = 0.5
    config = make_config(**sections)
    with stopping() as asked, ExitStack() as opened:
        try:
            log = open_log(config.stream.broker)
            opened.callback(log.close)
            store = Store(config.stream.store, config.stream.name)
            opened.callback(store.close)
            worker = open_worker(config, log, store, line_factory(config), SystemClock())
            worker.start()
            _break(store, arguments)
            run_patiently(
                worker,
                asked,
                until_caught_up=True,
                on_turn=lambda _: _dawdle(arguments.get("slow", 0.0), Path(folder, HURRY)),
                patience=arguments.get("patience", PATIENCE),
                clock=SystemClock(),
            )
        except RiverrunError as error:
            Path(folder, f"said.{number}").write_text(str(error))
            sys.exit(error.exit_code)


def _dawdle(seconds: float, hurry: Path) -> None:
    """Sleep for a while, but not where whoever tests has done what is to be done."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and not hurry.exists():
        time.sleep(0.01)


def _break(store: Store, arguments: dict[str, Any]) -> None:
    """Do to the store's connections what the arguments say."""
    engine = store._engine
    if delay := arguments.get("delay"):
        event.listen(engine, "before_cursor_execute", lambda *_: time.sleep(delay))
    killer = Killer(arguments.get("step"), arguments.get("times", 1), arguments.get("signal", 9))
    event.listen(engine, "before_cursor_execute", lambda *_: killer.at("statement"))
    drop, counted = arguments.get("drop"), itertools.count(1)

    def ended(connection: Any) -> None:
        if next(counted) in arguments["at"]:
            own = connection.connection.dbapi_connection
            _terminate(own, after_commit=drop == "committed")

    if drop == "statement":
        event.listen(engine, "before_cursor_execute", lambda connection, *_: ended(connection))
    elif drop is not None:
        event.listen(engine, "commit", ended)


def _terminate(own: Any, *, after_commit: bool) -> None:
    """Let the server end a connection; with ``after_commit``, when the commit took place unheard.

    In the second case whoever waits for the answer to a commit gets an error instead.
    """
    if after_commit:
        own.commit()
    process = own.info.backend_pid
    with psycopg.connect(own.info.dsn, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 60000)", (process,))
    if after_commit:
        raise OperationalError("COMMIT", None, psycopg.OperationalError("the connection was lost"))


class PatientScene(Scene):
    """A scene whose workers bear a store that is away."""

    def __init__(self, broker: str, store_url: str, folder: Path, record: Any, **more: Any) -> None:
        self.folder = folder
        super().__init__(broker, store_url, folder, record, **more)

    def start(self, **arguments: Any) -> Any:
        (self.folder / HURRY).unlink(missing_ok=True)
        process = PROCESSES.Process(target=main, args=(arguments, self.sections, str(self.folder)))
        process.start()
        return process

    def end(self, process: Any, seconds: float = 120) -> tuple[int, str]:
        (self.folder / HURRY).touch()
        process.join(seconds)
        assert process.exitcode is not None, f"it did not end: {self.told(process)}"
        said = self.folder / f"said.{process.pid}"
        return process.exitcode, said.read_text() if said.exists() else ""

    def told(self, process: Any) -> list[dict[str, Any]]:
        """Return what a worker has logged so far."""
        try:
            lines = (self.folder / f"log.{process.pid}").read_bytes().splitlines(keepends=True)
        except FileNotFoundError:
            return []
        return [msgspec.json.decode(line) for line in lines if line.endswith(b"\n")]

    def outages(self, process: Any) -> list[str]:
        """Return the reasons for which a worker could not reach its store."""
        return [row["reason"] for row in self.told(process) if row["event"] == "store_unreachable"]

    def wait(self, process: Any, holds: Callable[[], Any], seconds: float = 120) -> None:
        """Wait until something holds while a worker runs."""
        deadline = time.monotonic() + seconds
        while not holds():
            assert process.exitcode is None, (process.exitcode, self.told(process)[-3:])
            assert time.monotonic() < deadline, self.told(process)[-3:]
            time.sleep(0.02)

    def wait_for_commits(self, process: Any, more: int = 3) -> None:
        """Wait until a worker has committed some checkpoints more."""
        store = self.store()
        found = store.newest()
        wanted = (0 if found is None else found.number) + more
        self.wait(
            process, lambda: (newest := store.newest()) is not None and newest.number >= wanted
        )
        store.close()
