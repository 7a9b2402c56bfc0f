"""A process that has imported riverrun, and forks one that runs a command for each request.

Half of what a short command costs is importing River and SciPy, a second and more of a core. Here
that is done once. What is forked is a process like any other: with arguments, environment, folder,
standard streams and signals of its own, and it ends as an interpreter ends.
"""

from __future__ import annotations

import gc
import json
import os
import selectors
import signal
import socket
import sys
import time
import warnings
from contextlib import suppress
from importlib import import_module
from typing import Any

PRELOADED = (
    "river.compose",
    "river.ensemble",
    "river.linear_model",
    "river.preprocessing",
    "serve.api.app",
    "serve.api.run_api",
    "serve.cli.app",
    "serve.cli.worker",
    "serve.compose",
    "serve.doctor.examine",
    "stream.logs.kafka_log",
    "stream.logs.sqlite_log",
    "stream.worker",
)
FDS = 4
"""Standard input, output and error, and a pipe for how it ended."""
LENGTH = 4
"""Bytes of a number on the wire."""


def serve(requests: socket.socket) -> None:
    """Fork for each request until the other side is gone; in a forked process, return."""
    heard, told = socket.socketpair()
    heard.setblocking(False)
    told.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
    running: dict[int, int] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(requests, selectors.EVENT_READ)
        selector.register(heard, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is heard:
                    _drain(heard)
                    _tell_ended(running)
                elif (asked := _receive(requests)) is None:
                    os._exit(0)
                else:
                    request, fds = asked
                    pid = os.fork()
                    if pid == 0:
                        signal.set_wakeup_fd(-1)
                        for one in (heard, told, requests):
                            one.close()
                        for ending in running.values():
                            os.close(ending)
                        become(request, fds)
                        return
                    running[pid] = fds[-1]
                    for fd in fds[:-1]:
                        os.close(fd)
                    requests.sendall(pid.to_bytes(LENGTH, "big"))


def become(request: dict[str, Any], fds: list[int]) -> None:
    """Make of this process the one that was asked for."""
    if request["session"]:
        os.setsid()
    for target, fd in enumerate(fds[:3]):
        os.dup2(fd, target)
    for fd in fds:
        os.close(fd)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    env = request["env"]
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    sys.argv, sys.path[0] = request["argv"], request["cwd"]
    paths = env.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[1:1] = [path for path in paths if path and path not in sys.path]
    encoding = env.get("PYTHONIOENCODING", "utf-8")
    sys.stdin = open(0, encoding=encoding, closefd=False)  # noqa: SIM115
    for name, fd, errors in (("stdout", 1, "strict"), ("stderr", 2, "backslashreplace")):
        stream = open(  # noqa: SIM115
            fd, "w", encoding=encoding, errors=errors, closefd=False,
            buffering=1 if fd == 2 or os.isatty(fd) else -1,
        )  # fmt: skip
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    sys.__stdin__ = sys.stdin
    _warn_as(env.get("PYTHONWARNINGS", ""))


def _warn_as(options: str) -> None:
    """Filter warnings as the interpreter does for ``PYTHONWARNINGS``; here plain actions only."""
    warnings.resetwarnings()
    for category in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
        warnings.simplefilter("ignore", category)
    for action in filter(None, options.split(",")):
        warnings.simplefilter(action)  # type: ignore[arg-type]


def _receive(requests: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    head, fds, _, _ = socket.recv_fds(requests, LENGTH, FDS)
    if not head:
        return None
    size, body = int.from_bytes(head, "big"), b""
    while len(body) < size:
        body += requests.recv(size - len(body))
    return json.loads(body), fds


def _tell_ended(running: dict[int, int]) -> None:
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        ending = running.pop(pid)
        with suppress(BrokenPipeError):  # nobody waits for it any more
            os.write(ending, status.to_bytes(LENGTH, "big"))
        os.close(ending)


def _drain(heard: socket.socket) -> None:
    try:
        while heard.recv(1_024):
            pass
    except BlockingIOError:
        pass


def main() -> None:
    """Import, serve, and run a command where this is the forked process."""
    requests = socket.socket(fileno=int(sys.argv[1]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in PRELOADED:
            import_module(name)
    gc.freeze()
    serve(requests)
    from serve.cli import main as command

    command()


if __name__ == "__main__":
    main()
