"""The process that trains: told its job on standard input, it leaves its work in the store."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing

import msgspec

from serve.children import child_environment
from serve.cli.logs import configure_logs
from serve.cli.options import LogLevel
from serve.compose import open_stream_log, open_stream_store, read_secrets
from stream.clock import SystemClock
from stream.config import Config
from stream.errors import RiverrunError
from stream.training.guard import SignsOfLife, TrainingWatchdog, be_the_first_to_go
from stream.training.job import Job
from stream.training.train import AbandonedError, Training

_NICE = 10
_END_SECONDS = 5.0
_MOST_SIGNS = 1 << 16


class TrainingProcess:
    """A training that runs in a process of its own, and yields to live learning.

    Parameters
    ----------
    job
        What it is told.
    """

    def __init__(self, job: Job) -> None:
        self._signs, its_end = os.pipe()
        os.set_blocking(self._signs, False)
        command = [sys.executable, "-P", "-m", "serve.training", str(its_end)]
        try:
            self._process = subprocess.Popen(  # noqa: S603 (ourselves)
                command, stdin=subprocess.PIPE, env=child_environment(), pass_fds=(its_end,)
            )
        except BaseException:
            os.close(self._signs)
            raise
        finally:
            os.close(its_end)
        if self._process.stdin is not None:
            with self._process.stdin as stdin:
                stdin.write(msgspec.json.encode(job))

    def is_alive(self) -> bool:
        """Return whether it still runs."""
        return self._process.poll() is None

    def heard(self) -> bool:
        """Return whether it gave a sign of life since this was last asked."""
        try:
            return bool(os.read(self._signs, _MOST_SIGNS))
        except BlockingIOError:
            return False

    def end(self) -> None:
        """End it now. May be called twice."""
        if self._signs >= 0:
            os.close(self._signs)
            self._signs = -1
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


def main() -> int:
    """Train what standard input says; return the exit code."""
    parent, signs = os.getppid(), SignsOfLife(int(sys.argv[1]))
    os.nice(_NICE)
    be_the_first_to_go()
    configure_logs(LogLevel.INFO, process="training")
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    config, secrets, clock = Config(**job.config), read_secrets(os.environ), SystemClock()
    with (
        closing(open_stream_log(config, secrets)) as log,
        closing(open_stream_store(config, secrets)) as store,
    ):
        try:
            with TrainingWatchdog(config.worker, store, clock, job, signs.give) as watchdog:
                Training(
                    *(job, config, log, store, clock),
                    is_wanted=lambda: os.getppid() == parent,
                    handle=watchdog.handle_training,
                    sign=signs.give,
                ).run()
        except AbandonedError:
            return 0
        except RiverrunError as error:
            reason = {"reason": str(error)}
            store.runs.tell_training(job.run, job.epoch, "failed", reason, clock.now())
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
