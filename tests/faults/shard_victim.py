"""A worker of a divided stream, as a process of the fault tests."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import event
from sqlalchemy.pool import Pool

import stream.turn_size as turn_size
from serve.cli.signals import stopping
from serve.compose import Secrets
from serve.crew import opened_crew
from stream.errors import RiverrunError
from stream.logs.sqlite_log import SqliteSink
from stream.logs.sqlite_source import SqliteSource
from stream.tracing import Untraced
from tests.faults.hosts import enter
from tests.lines import make_config


class Freezer:
    """Freezes the process as a whole once a file is there, and no thread is in a transaction.

    One that froze inside of a transaction would keep locks from everybody else: those of a file,
    store or embedded log, until it goes on, and those of a server until that ends its session.
    """

    def __init__(self, asked: Path) -> None:
        self._asked = asked
        self._changed = threading.Condition()
        self._out = 0
        self._freezing = False
        event.listen(Pool, "checkout", self._take)
        event.listen(Pool, "checkin", self._give)
        for owner, method in ((SqliteSink, "append"), (SqliteSource, "commit")):
            setattr(owner, method, self._counted(getattr(owner, method)))
        threading.Thread(target=self._run, daemon=True).start()

    def _take(self, *_: object) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._freezing)
            self._out += 1

    def _give(self, *_: object) -> None:
        with self._changed:
            self._out -= 1
            self._changed.notify_all()

    def _counted(self, write: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(write)
        def counted(*arguments: Any) -> Any:
            self._take()
            try:
                return write(*arguments)
            finally:
                self._give()

        return counted

    def _run(self) -> None:
        while not self._asked.exists():
            time.sleep(0.01)
        with self._changed:
            self._freezing = True
            self._changed.wait_for(lambda: self._out == 0)
            os.kill(os.getpid(), signal.SIGSTOP)
            self._freezing = False
            self._changed.notify_all()


def main(arguments: dict[str, Any], sections: dict[str, Any], errors: str) -> None:
    """Work until told to stop, and leave with the command line's exit code.

    Parameters
    ----------
    arguments
        ``told``: a file for its log lines. ``freeze``: a file; once it is there the process stops
        itself (SIGSTOP). ``host``: the network namespace that it is in.
    sections
        Of the configuration.
    errors
        A file for the message of what a person would be told.
    """
    if "host" in arguments:
        enter(arguments["host"])
    out = Path(arguments["told"]).open("a", buffering=1)  # noqa: SIM115  # as long as the process
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.CallsiteParameterAdder(
                [structlog.processors.CallsiteParameter.PROCESS]
            ),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.WriteLoggerFactory(out),
    )
    turn_size._LARGEST = 40  # so that a batch of records takes many turns, and commits
    config = make_config(**sections)
    Freezer(Path(arguments["freeze"]))
    with stopping() as asked:
        try:
            with opened_crew(config, Secrets(), "here", Untraced) as opened:
                opened.crew.run(asked)
        except RiverrunError as error:
            Path(errors).write_text(str(error))
            sys.exit(error.exit_code)
