"""``riverrun`` in a process of its own, without its second of imports; as ``subprocess.Popen``."""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

from tests.processes.server import LENGTH

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "serve.cli"]
"""What a command line of riverrun begins with."""
_ONE_AT_A_TIME = Lock()


@cache
def _server(_pid: int) -> socket.socket:
    """Start the process that forks; once for each process of tests."""
    ours, theirs = socket.socketpair()
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("RIVERRUN_", "PYTHONWARN"))}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.processes.server", str(theirs.fileno())],
        pass_fds=[theirs.fileno()], cwd=ROOT, env=kept | {"PYTHONPATH": str(ROOT)},
        start_new_session=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    theirs.close()

    def stop() -> None:
        ours.close()
        process.wait(30)

    atexit.register(stop)
    return ours


class ForkedRiverrun(subprocess.Popen[Any]):
    """A process that runs a command of riverrun, forked from one that has imported it.

    Parameters
    ----------
    args
        ``COMMAND`` and the arguments of riverrun, as for ``subprocess.Popen``.
    options
        For ``subprocess.Popen``: streams, ``cwd``, ``env``, ``text``, ``start_new_session``.
    """

    def __init__(self, args: list[str], **options: Any) -> None:
        assert args[: len(COMMAND)] == COMMAND, args
        super().__init__(args, **options)

    def _execute_child(
        self, args: list[str], executable: Any, preexec_fn: Any, close_fds: bool, pass_fds: Any,
        cwd: Any, env: Any, startupinfo: Any, creationflags: int, shell: bool,
        p2cread: int, p2cwrite: int, c2pread: int, c2pwrite: int, errread: int, errwrite: int,
        restore_signals: bool, gid: Any, gids: Any, uid: Any, umask: int,
        start_new_session: bool, process_group: int,
    ) -> None:  # fmt: skip
        request = {
            "argv": args[len(COMMAND) - 1 :],
            "cwd": str(cwd or Path.cwd()),
            "env": dict(os.environ if env is None else env),
            "session": start_new_session,
        }
        body = json.dumps(request).encode()
        self._ending, ended = os.pipe()
        streams = [p2cread, c2pwrite, errwrite]
        fds = [own if fd == -1 else fd for own, fd in enumerate(streams)]
        with _ONE_AT_A_TIME:
            server = _server(os.getpid())
            socket.send_fds(server, [len(body).to_bytes(LENGTH, "big")], [*fds, ended])
            server.sendall(body)
            self.pid = int.from_bytes(server.recv(LENGTH, socket.MSG_WAITALL), "big")
        os.close(ended)
        self._close_pipe_fds(p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite)
        assert self.pid, "the process that forks has ended"
        self._child_created = True

    def _try_wait(self, wait_flags: int) -> tuple[int, int]:
        """Return as ``os.waitpid`` does; it is the child of the process that forked it."""
        seconds = 0 if wait_flags & os.WNOHANG else None
        if not select.select([self._ending], [], [], seconds)[0]:
            return 0, 0
        told = os.read(self._ending, LENGTH)
        os.close(self._ending)
        return self.pid, int.from_bytes(told, "big") if told else signal.SIGKILL

    def _internal_poll(self, _deadstate: Any = None, **_: Any) -> int | None:
        if self.returncode is None and self._waitpid_lock.acquire(blocking=False):
            try:
                pid, status = self._try_wait(os.WNOHANG)
                if pid == self.pid:
                    self._handle_exitstatus(status)
            finally:
                self._waitpid_lock.release()
        return self.returncode


def run_riverrun(args: list[str], **options: Any) -> subprocess.CompletedProcess[Any]:
    """Run a command to its end, as ``subprocess.run`` with ``capture_output``."""
    timeout, given = options.pop("timeout", None), options.pop("input", None)
    if given is not None:
        options["stdin"] = subprocess.PIPE
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with ForkedRiverrun(args, **pipes | options) as process:
        try:
            out, err = process.communicate(given, timeout=timeout)
        except BaseException:
            process.kill()
            raise
        return subprocess.CompletedProcess(args, process.returncode, out, err)
