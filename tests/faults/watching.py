"""Waiting for what a process of a scene tells, and for what it has committed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SECONDS = 120.0


def wait_until(is_so: Callable[[], Any], what: str, seconds: float = SECONDS) -> None:
    """Wait for a condition; how long says nothing, machines are shared."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"it never came to {what}"
        time.sleep(0.05)


def lines(told: Path) -> list[dict[str, Any]]:
    """Return the log lines that a process has written so far."""
    if not told.exists():
        return []
    whole = told.read_text().rpartition("\n")[0]
    return [json.loads(line) for line in whole.splitlines()]


def said(told: Path, event: str) -> list[dict[str, Any]]:
    """Return its lines of one kind."""
    return [line for line in lines(told) if line["event"] == event]


def committed(scene: Any, number: int) -> bool:
    """Return whether a scene's worker has committed so often."""
    store = scene.store()
    try:
        newest = store.newest()
        return newest is not None and newest.number >= number
    finally:
        store.close()
