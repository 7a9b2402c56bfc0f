"""Child processes: the worker and the API, started, watched and stopped together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple, Self

from stream.errors import RiverrunError

GRACE_SECONDS = 30.0
"""How long a child may take to stop: it finishes its turn, commits, answers running requests."""

_PACKAGE_ROOT = Path(__file__).resolve().parents[2]


class ChildDiedError(RiverrunError):
    """A child process ended by itself; its own message stands above."""

    def __init__(self, name: str, code: int) -> None:
        self.exit_code = code  # type: ignore[misc]
        super().__init__(f"the {name} ended by itself with exit code {code}; everything is stopped")


@dataclass(frozen=True, slots=True)
class Child:
    """A child process and the thread that passes its lines on."""

    name: str
    process: subprocess.Popen[str]
    reader: threading.Thread


class Ended(NamedTuple):
    """A child that has ended by itself: its process id, its name, and its exit code."""

    pid: int
    name: str
    code: int


class Children:
    """Commands of riverrun as child processes that never outlive this one.

    Each child's standard input is a pipe whose other end only this process holds. When this
    process ends, however it ends, the pipe closes and the child stops.

    Parameters
    ----------
    echo
        Called, from several threads, with each line that a child prints.
    """

    def __init__(self, echo: Callable[[str], None]) -> None:
        self._echo = echo
        self._children: list[Child] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(
        self,
        name: str,
        *arguments: str,
        label: str | None = None,
        fds: Sequence[int] = (),
        env: Mapping[str, str] | None = None,
    ) -> int:
        """Start ``riverrun <name> <arguments>``; return its process id.

        Parameters
        ----------
        name, arguments
            The command.
        label
            What its lines begin with; the command's name by default.
        fds
            File descriptors that it inherits under their numbers.
        env
            Added to its environment.
        """
        label = label or name
        command = [sys.executable, "-P", "-m", "serve.cli", name, *arguments, "--stop-with-parent"]
        process = subprocess.Popen(  # noqa: S603 - our own command, no shell
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=child_environment() | dict(env or {}),
            pass_fds=fds,
            # Ctrl-C in the terminal reaches this process alone, which then stops the children.
            start_new_session=True,
        )
        assert process.stdout is not None  # noqa: S101
        reader = threading.Thread(
            target=self._pass_on, args=(label, process.stdout), name=f"{label}-lines", daemon=True
        )
        reader.start()
        self._children.append(Child(label, process, reader))
        return process.pid

    def check(self) -> None:
        """Raise where one of them has ended.

        Raises
        ------
        ChildDiedError
        """
        for child in self._children:
            if (code := child.process.poll()) is not None:
                raise ChildDiedError(child.name, _exit_code(code))

    def ended(self) -> list[Ended]:
        """Return those that have ended since the last look, and know them no more."""
        gone = [child for child in self._children if child.process.poll() is not None]
        self._children = [child for child in self._children if child not in gone]
        found = []
        for child in gone:
            code = _exit_code(child.process.returncode)
            found.append(Ended(child.process.pid, child.name, code))
            _let_go(child)
        return found

    def stop(self) -> int:
        """Stop all of them; return the highest of their exit codes. May be called twice.

        Blocks for up to ``GRACE_SECONDS``; what has not stopped by then is killed.
        """
        for child in self._children:
            child.process.terminate()
        deadline = time.monotonic() + GRACE_SECONDS
        codes = [self._wait(child, deadline) for child in self._children]
        self._children.clear()
        return max(codes, default=0)

    def _wait(self, child: Child, deadline: float) -> int:
        process = child.process
        try:
            code = process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._echo(f"{child.name} did not stop within {GRACE_SECONDS:.0f} s and was killed")
            process.kill()
            code = process.wait()
        _let_go(child)
        # Told to stop before it could listen for that: as clean a stop as any.
        return 0 if code == -signal.SIGTERM else _exit_code(code)

    def _pass_on(self, name: str, lines: IO[str]) -> None:
        for line in lines:
            text = line.rstrip()
            # A JSON line names its process itself, and a prefix would make it unreadable.
            self._echo(text if text.startswith("{") else f"{name:<6} | {text}")


def _let_go(child: Child) -> None:
    child.reader.join(timeout=1.0)
    for pipe in (child.process.stdin, child.process.stdout):
        if pipe is not None:
            pipe.close()


def _exit_code(code: int) -> int:
    return code if code >= 0 else 128 - code


def child_environment() -> dict[str, str]:
    """Return an environment in which the child finds the code that this process runs.

    An installed package is found anyway. A checkout is not: the child does not look into the
    working directory, where a person's own ``stream.py`` may lie.
    """
    environment = dict(os.environ) | {"PYTHONUNBUFFERED": "1"}
    if not {"site-packages", "dist-packages"} & set(_PACKAGE_ROOT.parts):
        paths = [str(_PACKAGE_ROOT), environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    return environment
