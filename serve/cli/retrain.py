"""``riverrun retrain``: a person asks for a challenger, watches it, or calls it off."""

from __future__ import annotations

import re
from typing import Annotated, Any

import typer

from serve.cli.asking import (
    NoWaitOption,
    ReasonOption,
    TimeoutOption,
    ask_worker,
    opened_stream,
)
from serve.cli.console import print_json, say
from serve.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption
from stream.errors import InputError

NOT_PROMOTED = 1
_RUN_SECONDS = 3_600.0


def retrain(
    reason: ReasonOption,
    wait: Annotated[
        bool, typer.Option("--wait", help="Watch the run until it is decided, up to an hour.")
    ] = False,
    cancel: Annotated[
        bool, typer.Option("--cancel", help="Call off the run that is under way instead.")
    ] = False,
    no_wait: NoWaitOption = False,
    timeout: TimeoutOption = "30s",
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Ask the worker to train a challenger, which must prove itself before it serves.

    The request is left in the store, and a running worker answers it, within a second or two. Where
    a run is under way already, the request is added to it.

    Leaves with 0 where the request was carried out, and with --wait where the challenger was
    promoted; with 1 where it was not; with 2 where the worker refused; with 3 where no worker
    answered in time.
    """
    from serve.cli.following import follow_run, is_success

    if wait and (cancel or no_wait):
        raise InputError("--wait: not together with --cancel or --no-wait")
    with opened_stream(config) as (store, settings):
        kind = "cancel" if cancel else "retrain"
        detail = {"reason": reason}
        answer = ask_worker(store, settings, kind, detail, wait=not no_wait, timeout=timeout)
        shown: dict[str, Any] = {"request": answer.request, "outcome": answer.outcome}
        if answer.outcome is None:
            say(f"request {answer.request} stands in the store; a worker will carry it out")
        else:
            say(answer.outcome)
        change = None
        if wait and answer.outcome is not None:
            number = re.search(r"run (\d+)", answer.outcome)
            change = follow_run(store, int(number[1]) if number else 0, _RUN_SECONDS)
            kept = ("run", "version", "state", "sentence", "detail")
            shown["run"] = {key: change[key] for key in kept}
    if as_json:
        print_json(shown)
    if change is not None and not is_success(change):
        raise typer.Exit(NOT_PROMOTED)
