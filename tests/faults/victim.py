"""A worker that kills itself with SIGKILL at a named step; a process of the crash tests.

The worker is the real one: the steps are found by wrapping what is handed to it, and by listening
to the statements of its store.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import event

import stream.training.supervisor as supervisor_module
import stream.worker as worker_module
from serve.compose import Secrets, open_stream_log
from stream.build import line_factory
from stream.clock import SystemClock
from stream.config import Config
from stream.errors import RiverrunError
from stream.log import Log
from stream.storage.store import Store
from stream.training.job import Job
from stream.training.supervisor import Launch
from stream.training.train import Training
from stream.worker import open_worker
from tests.lines import make_config


class Killer:
    """Counts how often each step is reached, and kills the process at one of them."""

    def __init__(self, step: str | None, times: int) -> None:
        self.step, self.left = step, times

    def at(self, step: str) -> None:
        """Die here, if it is the step and its turn."""
        if step == self.step:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

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
        ``step`` and ``times``: where to die, and at which of its turns. ``slow``: seconds to sleep
        after each turn. ``told``: a file for its log lines. ``until``: a file; it works until that
        is there, and not only to the log's end. ``memory``: a file for the most memory it had.
    sections
        Of the configuration.
    errors
        A file for the message of what a person would be told.
    """
    _configure_logs(arguments.get("told"))
    worker_module._LARGEST_BATCH = 40
    config = make_config(**sections)
    killer = Killer(arguments.get("step"), arguments.get("times", 1))
    log = _opened_log(config, errors)
    store = Store(config.stream.store, config.stream.name)
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
    try:
        worker.start()
        # A commit a turn, however busy the machine is: what follows from commits is then the same.
        worker._cadence.is_due = lambda _now: True  # type: ignore[method-assign]
        killer.around(worker.line, "handle", "handle")
        pause = arguments.get("slow", 0.0)
        until = arguments.get("until")
        worker.run(
            lambda: until is not None and Path(until).exists(),
            until_caught_up=until is None,
            on_turn=lambda _: time.sleep(pause),
        )
    except RiverrunError as error:
        Path(errors).write_text(str(error))
        sys.exit(error.exit_code)
    finally:
        if "memory" in arguments:
            most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            Path(arguments["memory"]).write_text(str(most * 1024))
        with suppress(RiverrunError):
            log.close()


def _opened_log(config: Config, errors: str) -> Log:
    try:
        return open_stream_log(config, Secrets())
    except RiverrunError as error:
        Path(errors).write_text(str(error))
        sys.exit(error.exit_code)


def _configure_logs(told: str | None) -> None:
    if told is None:
        structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
        return
    out = Path(told).open("a", buffering=1)  # noqa: SIM115  # open for as long as the process lives
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.JSONRenderer()],
        logger_factory=structlog.WriteLoggerFactory(out),
    )
