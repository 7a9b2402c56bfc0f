"""Watching a run: what happens to it, and how far it is, until it is decided."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from serve.cli.asking import NoAnswerError
from serve.cli.console import say
from serve.cli.printable import printable
from serve.cli.progress import progress_bar
from serve.run_line import run_text
from stream.units import format_duration

if TYPE_CHECKING:
    from stream.storage.store import Store

_LOOK_SECONDS = 0.5
_SAY_SECONDS = 5.0
DECIDED = ("promoted", "rejected", "failed", "cancelled", "rolled_back", "kept")
"""States of a run after which nobody needs to wait."""

_LONG = 500


def follow_run(store: Store, run: int, seconds: float) -> dict[str, Any]:
    """Watch a run until it is decided; return its last change.

    Parameters
    ----------
    store
        Of the stream.
    run
        Its number.
    seconds
        How long, at most.

    Raises
    ------
    NoAnswerError
        It was not decided in time.
    """
    began = time.monotonic()
    seen = 0
    with progress_bar(f"run {run}", None) as show:
        tell = _teller(show)
        while True:
            changes = store.runs.changes(limit=None, run=run)[::-1]
            for change in changes[seen:]:
                say(f"{change['state'].replace('_', ' ')}: {printable(change['sentence'], _LONG)}")
            seen = len(changes)
            decided = [change for change in changes if change["state"] in DECIDED]
            if decided:
                return decided[0]
            if time.monotonic() - began > seconds:
                raise NoAnswerError(
                    f"run {run} was not decided within {format_duration(1000 * seconds)}; it goes "
                    "on: see 'riverrun status'"
                )
            tell(progress_text(store))
            time.sleep(_LOOK_SECONDS)


def progress_text(store: Store) -> str:
    """Return how far the run is that is under way; empty for none."""
    newest = store.newest()
    found = None if newest is None else (newest.status.get("retrain") or {}).get("run")
    if found is None:
        return ""
    training = store.runs.training(found["number"]) if found["phase"] == "training" else None
    return run_text(found, None if training is None else training.progress)


def _teller(show: Callable[[float, str], None]) -> Callable[[str], None]:
    """Return what shows a text: beside the bar, or off a terminal as a line now and then."""
    last: dict[str, Any] = {"at": 0.0, "text": ""}

    def tell(text: str) -> None:
        show(0.0, text)
        now = time.monotonic()
        if not sys.stderr.isatty() and text != last["text"] and now - last["at"] > _SAY_SECONDS:
            last.update(at=now, text=text)
            say(text)

    return tell


def is_success(change: Mapping[str, Any]) -> bool:
    """Return whether a run ended with its model in place."""
    return change["state"] in ("promoted", "kept")
