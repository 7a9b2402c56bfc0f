"""Asking the worker: a request is left in the store, and the worker answers it there."""

from __future__ import annotations

import getpass
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serve.cli.console import say
from serve.cli.options import LogLevel
from stream.errors import InputError, RiverrunError
from stream.units import format_duration, parse_duration

if TYPE_CHECKING:
    from stream.config import Config
    from stream.storage.audit import Actor
    from stream.storage.store import Store

_LOOK_SECONDS = 0.25
_PATIENCE_SECONDS = 3.0
REFUSED = "refused: "

ReasonOption = Annotated[
    str, typer.Option("--reason", help="Why; it is written down with what comes of it.")
]
NoWaitOption = Annotated[
    bool, typer.Option("--no-wait", help="Leave the request, and do not wait for the answer.")
]


def _timeout(text: str) -> float:
    try:
        return parse_duration(text) / 1000
    except ValueError as error:
        raise InputError(f"--timeout: {error}") from None


TimeoutOption = Annotated[
    str, typer.Option("--timeout", help="How long to wait for a worker, such as 30s or 2m.")
]


class RefusedError(RiverrunError):
    """The worker answered that it will not."""

    exit_code = 2


class NoAnswerError(RiverrunError):
    """No worker has answered in time; the request stands."""

    exit_code = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a request.

    Parameters
    ----------
    request
        Its id.
    outcome
        What the worker said; None where nobody waited for it.
    """

    request: int
    outcome: str | None


@contextmanager
def opened_stream(config: Path) -> Iterator[tuple[Store, Config]]:
    """Open the store of a configuration that exists, and close it afterwards."""
    from serve.cli.logs import configure_logs
    from serve.compose import read_secrets
    from serve.status_reading import store_to_read
    from stream.load_config import load_config

    configure_logs(LogLevel.WARNING)
    settings = load_config(config)
    with store_to_read(settings, read_secrets(os.environ)) as store:
        yield store, settings


def who() -> str:
    """Return the name of whoever runs this process, for the record."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        return "command line"


def actor() -> Actor:
    """Return whoever runs this process, and where, for the audit."""
    from stream.storage.audit import Actor

    return Actor(who(), "cli", socket.gethostname())


def ask_worker(
    store: Store,
    config: Config,
    kind: str,
    detail: Mapping[str, Any],
    *,
    wait: bool,
    timeout: str,
    model: tuple[bytes, bytes | None] | None = None,
) -> Answer:
    """Leave a request, and wait for its answer.

    Parameters
    ----------
    store, config
        Of the stream.
    kind, detail
        What is asked.
    wait, timeout
        Whether to wait, and how long.
    model
        A model to take in, and its reference.

    Raises
    ------
    InputError
        Nothing is ever retrained by this configuration, or there is no reason.
    RefusedError, NoAnswerError
    """
    seconds = _timeout(timeout)
    for section, name in ((config.monitor, "monitor"), (config.retrain, "retrain")):
        if not section.enabled:
            raise InputError(f"{name}.enabled is false: its worker keeps no versions")
    if not str(detail.get("reason", "")).strip():
        raise InputError("--reason: say why; it is written down")
    key = store.runs.ask(kind, detail, actor(), time.time(), model)
    if not wait:
        return Answer(key, None)
    outcome = waited(lambda: store.runs.answer(key), seconds)
    if outcome is None:
        raise NoAnswerError(
            f"request {key} stands in the store, and no worker has answered it within "
            f"{format_duration(1000 * seconds)}. If none runs, start one: 'riverrun worker' "
            "carries it out"
        )
    if outcome.startswith(REFUSED):
        raise RefusedError(outcome.removeprefix(REFUSED))
    return Answer(key, outcome)


def waited(ask: Callable[[], str | None], seconds: float) -> str | None:
    """Ask again and again until there is an answer, or the time is over."""
    began = time.monotonic()
    told = False
    while (found := ask()) is None and time.monotonic() - began < seconds:
        if not told and time.monotonic() - began > _PATIENCE_SECONDS:
            say("waiting for the worker ...", style="dim")
            told = True
        time.sleep(_LOOK_SECONDS)
    return found
