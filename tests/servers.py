"""Starting other people's servers for tests, on loopback."""

from __future__ import annotations

import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any


def start_server(
    command: list[str], folder: Path, answers: str, seconds: float = 60, **options: Any
) -> subprocess.Popen[bytes]:
    """Start a server, and wait until it answers.

    Parameters
    ----------
    command
        The program and its options.
    folder
        Where it runs, and leaves what it says in the file ``log``.
    answers
        A URL that it answers with 200 when it is ready.
    seconds
        How long that may take.
    options
        For ``subprocess.Popen``.

    Raises
    ------
    AssertionError
        With what it said, when it ended or was not ready in time.
    """
    log = folder / "log"
    with log.open("ab") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, cwd=folder, **options)
    deadline = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(answers, timeout=5).close()
        except OSError:
            if time.monotonic() > deadline or process.poll() is not None:
                process.kill()
                process.wait()
                raise AssertionError(log.read_text(errors="replace")[-4_000:]) from None
            time.sleep(0.1)
        else:
            return process
