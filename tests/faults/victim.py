"""A worker that signals itself at a named step; a process of the fault tests.

The worker is the real one: the steps are found by wrapping what is handed to it, and by listening
to the statements of its store.
"""

from __future__ import annotations

import itertools
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import event

import stream.training.supervisor as supervisor_module
import stream.turn_size as turn_size
from serve.api.run_api import run_api
from serve.cli.signals import stopping
from serve.compose import Secrets, open_stream_log
from stream.build import line_factory
from stream.clock import SystemClock
from stream.config import Config
from stream.errors import RiverrunError
from stream.line import Line
from stream.log import Log
from stream.storage.store import Store
from stream.training.job import Job
from stream.training.supervisor import Launch
from stream.training.train import Training
from stream.worker import Worker, open_worker
from tests.lines import make_config


class Killer:
    """Counts how often each step is reached, and sends the process a signal at one of them."""

    def __init__(self, step: str | None, times: int, number: int = signal.SIGKILL) -> None:
        self.step, self.left, self.number = step, times, number

    def at(self, step: str) -> None:
        """Send it here, if it is the step and its turn."""
        if step == self.step:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), self.number)

    def around(self, owner: object, method: str, step: str) -> None:
        """Make a method a step: ``before_<step>`` and ``after_<step>``."""
        inner = getattr(owner, method)

        def wrapped(*args: object, **kwargs: object) -> object:
            self.at(f"before_{step}")
            result = inner(*args, **kwargs)
            self.at(f"after_{step}")
            return result

        setattr(owner, method, wrapped)


class Done:
    """A training that ran to its end before anybody could look."""

    def is_alive(self) -> bool:
        """It is over."""
        return False

    def heard(self) -> bool:
        """It says no more."""
        return False

    def end(self) -> None:
        """Nothing is left to end."""


def trainings_in_this_process(config: Config, log: Log, store: Store) -> Launch:
    """Return what trains at once, here, so that a kill hits the training as well."""

    def launch(job: Job) -> Done:
        Training(job, config, log, store, SystemClock()).run()
        return Done()

    return launch


def main(arguments: dict[str, Any], sections: dict[str, Any], errors: str) -> None:
    """Run to the log's end, or to the step, and leave with the command line's exit code.

    Parameters
    ----------
    arguments
        ``step``, ``times``, ``signal``: where to send itself which signal, and at which of its
        turns. ``slow``: seconds to sleep after each turn. ``forever``: go on at the log's end,
        until SIGTERM. ``secret``: signs checkpoints. ``rebuild``: learn everything anew.
        ``files``: how many file handles may be open from the first turn on. ``told``: a file for
        its log lines. ``until``: a file; it works until that is there, and not only to the log's
        end. ``memory``: a file for the most memory it had, in bytes.
    sections
        Of the configuration.
    errors
        A file for the message of what a person would be told.
    """
    _configure_logs(arguments.get("told"))
    turn_size._LARGEST = 40
    number = arguments.get("signal", signal.SIGKILL)
    killer = Killer(arguments.get("step"), arguments.get("times", 1), number)
    with stopping() as asked:
        try:
            _run(arguments, make_config(**sections), killer, asked)
        except RiverrunError as error:
            Path(errors).write_text(str(error))
            sys.exit(error.exit_code)
        finally:
            if "memory" in arguments:
                most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
                Path(arguments["memory"]).write_text(str(most))


def _run(
    arguments: dict[str, Any], config: Config, killer: Killer, asked: Callable[[], bool]
) -> None:
    pause, files = arguments.get("slow", 0.0), arguments.get("files")
    with ExitStack() as opened:
        log = open_stream_log(config, Secrets())
        opened.callback(_close, log)
        store = Store(config.stream.store, config.stream.name, secret=arguments.get("secret"))
        opened.callback(store.close)
        worker = _worker(config, log, store, killer)
        worker.start(arguments.get("rebuild", False))
        # A commit a turn, however busy the machine is: what follows from commits is then the same.
        worker._cadence.is_due = lambda _now: True  # type: ignore[method-assign]
        killer.around(worker.line, "handle", "handle")
        killer.around(worker.line.learner, "predict", "predict")

        turns = itertools.count()

        def after_a_turn(_line: Line) -> None:
            if next(turns) == 0 and files is not None:
                _use_up_files(files)
            time.sleep(pause)

        until = arguments.get("until")
        worker.run(
            lambda: asked() or (until is not None and Path(until).exists()),
            until is None and not arguments.get("forever", False),
            after_a_turn,
        )


def _close(log: Log) -> None:
    """Close a log; where it is away, why the worker ended matters more."""
    with suppress(RiverrunError):
        log.close()


def _configure_logs(told: str | None) -> None:
    if told is None:
        structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
        return
    out = Path(told).open("a", buffering=1)  # noqa: SIM115  # open for as long as the process lives
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.JSONRenderer()],
        logger_factory=structlog.WriteLoggerFactory(out),
    )


def _worker(config: Config, log: Log, store: Store, killer: Killer) -> Worker:
    launch = None
    if config.retrain.enabled:
        supervisor_module._LOOK_SECONDS = 0.0
        launch = trainings_in_this_process(config, log, store)
        killer.around(store.runs, "begin_training", "begin_training")
        killer.around(store.runs, "tell_training", "tell_training")
        killer.around(store.runs, "candidates", "candidates")
        killer.around(store.runs, "forget_training", "forget_training")
    worker = open_worker(config, log, store, line_factory(config), SystemClock(), launch)
    killer.around(worker._source, "poll", "poll")
    killer.around(worker._source, "commit", "copying_offsets")
    killer.around(worker._sink, "append", "append")
    killer.around(worker._sink, "flush", "flush")
    killer.around(store, "claim", "claim")
    event.listen(store._engine, "before_cursor_execute", lambda *_: killer.at("statement"))
    event.listen(store._engine, "commit", lambda _: killer.at("transaction_end"))
    killer.around(store, "commit", "commit")
    killer.around(store.key_models, "load", "loading_keys")
    return worker


def _use_up_files(limit: int) -> None:
    """Leave only so many file handles to open."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(list(Path("/proc/self/fd").iterdir()))
    resource.setrlimit(resource.RLIMIT_NOFILE, (used - 1 + limit, hard))


def serve(sections: dict[str, Any], port: int, ready: str) -> None:
    """Run the API of a stream until it is told to stop."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    api = {"port": port} | sections.get("api", {})
    config = make_config(**(sections | {"api": api}))
    run_api(config, Secrets(), ready=lambda _url: Path(ready).touch())
