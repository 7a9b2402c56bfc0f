"""``riverrun backtest``: retraining policies on labelled history."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serve.cli.console import print_json
from serve.cli.options import JsonOption, LogLevel
from serve.cli.progress import progress_bar
from stream.errors import InputError

if TYPE_CHECKING:
    from serve.backtest.compare import Comparison
    from serve.backtest.history import History
    from stream.config import Config

FAILED = 1
LIMIT = 1_000_000


def backtest(
    file: Annotated[
        Path | None,
        typer.Argument(help="Labelled events in the order of time: .csv, .tsv or .jsonl (.gz)."),
    ] = None,
    begin: Annotated[
        str | None,
        typer.Option("--from", help="Without FILE: first record of the log, by number or time."),
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="First record of the log that is left out.")
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(
            "--policy",
            help="Some of never, periodic, drift, performance, always, configured; "
            "default: all but the last.",
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", "-c", help="Default: riverrun.toml beside FILE; else it is guessed."
        ),
    ] = None,
    label_delay: Annotated[
        str,
        typer.Option(
            "--label-delay", help="Hold labels of FILE back: so many events, or such as 3d."
        ),
    ] = "0",
    every: Annotated[
        int | None,
        typer.Option("--every", min=1, help="Labels between two runs of periodic; default 5,000."),
    ] = None,
    change: Annotated[
        str | None,
        typer.Option("--change", help="Rows, from 1, at which something is known to have changed."),
    ] = None,
    fail_under: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-under",
            help="[POLICY.]METRIC=VALUE: leave with 1 where it is worse. A configured metric, "
            "loss, wasted, or gain (share of the loss of never that is saved).",
        ),
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", help="Also write a page with charts.")
    ] = None,
    spacing: Annotated[
        str, typer.Option("--spacing", help="Between rows of a FILE that has no time.")
    ] = "1m",
    limit: Annotated[
        int, typer.Option("--limit", min=1, help="Events at most; they are held in memory.")
    ] = LIMIT,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Of the models; default: model.seed.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare retraining policies on labelled history.

    A file, or a range of the log, is replayed under each policy by the code that runs in
    production: the same monitor, gate and probation, with trainings at once and in this process.
    Shown are the loss over time, what was retrained, promoted and wasted, how long it took after
    known changes, and what it cost.

    Leaves with 0; with 1 where a --fail-under does not hold; with 2 where the history cannot be
    used.
    """
    from serve.backtest.compare import check_changes, compare, parse_demand, parse_policies
    from serve.cli.logs import configure_logs
    from stream.clock import SystemClock

    configure_logs(LogLevel.WARNING)
    policies = parse_policies(policy)
    settings, where, notes = _settings(file, config, seed)
    demands = [parse_demand(text, policies, settings.metric_names) for text in fail_under or []]
    changes = _numbers(change)
    if file is None:
        if label_delay != "0":
            raise InputError("--label-delay is for a FILE; the log has its labels when they came")
        history = _of_log(settings, begin, end, limit)
    else:
        if begin is not None or end is not None:
            raise InputError("--from and --to are for the log, without FILE")
        history = _of_file(file, settings, label_delay, spacing, limit)
    history.notes[:0] = notes
    check_changes(changes, history.events)
    with progress_bar("backtest", len(history.records) * len(policies)) as show:
        found = compare(
            settings,
            history,
            policies,
            SystemClock(),
            where=where,
            every=every,
            changes=changes,
            demands=demands,
            show=show,
        )
    _show(found, html, as_json=as_json)
    if not all(answer.holds for answer in found.answers):
        raise typer.Exit(FAILED)


def _settings(
    file: Path | None, given: Path | None, seed: int | None
) -> tuple[Config, str, list[str]]:
    from serve.backtest.settings import find_config, guess_config

    config, where = find_config(file, given)
    notes: list[str] = []
    if config is None and file is not None:
        config, notes = guess_config(file, _now())
        where = f"the guess from {file.name}"
    if config is None:
        raise InputError("there is no configuration; name one with --config")
    if seed is not None:
        config = config.model_copy(update={"model": config.model.model_copy(update={"seed": seed})})
    return config, where, notes


def _of_file(file: Path, config: Config, delay: str, spacing: str, limit: int) -> History:
    from serve.backtest.history import Delay, read_file
    from stream.units import parse_duration

    try:
        apart = parse_duration(spacing)
    except ValueError as error:
        raise InputError(f"--spacing: found {spacing!r}; {error}") from None
    held = Delay.parse(delay)
    with progress_bar(f"reading {file.name}", file.stat().st_size if file.exists() else 0) as show:
        return read_file(file, config, _now(), delay=held, spacing=apart, limit=limit, show=show)


def _of_log(config: Config, begin: str | None, end: str | None, limit: int) -> History:
    from contextlib import closing

    from serve.backtest.history import read_log
    from serve.compose import open_stream_log, read_secrets

    with (
        closing(open_stream_log(config, read_secrets(os.environ))) as log,
        progress_bar("reading the log", 1.0) as show,
    ):
        return read_log(log, config, begin=begin, end=end, limit=limit, show=show)


def _show(found: Comparison, html: Path | None, *, as_json: bool) -> None:
    from serve.backtest.data import as_data
    from serve.backtest.view import comparison_view
    from serve.cli.printable import forgiving_output, takes_unicode
    from serve.sparkline import BLOCKS, PLAIN

    if html is not None:
        from serve.backtest.page import write_page

        write_page(found, html)
    if as_json:
        print_json(as_data(found))
        return
    console = forgiving_output()
    console.print(comparison_view(found, blocks=BLOCKS if takes_unicode(console) else PLAIN))
    if html is not None:
        console.print(f"page: {html}", markup=False)


def _numbers(text: str | None) -> list[int]:
    try:
        return [] if text is None else [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise InputError(f"--change: found {text!r}; give rows, such as 8000,16000") from None


def _now() -> int:
    return time.time_ns() // 1_000_000
