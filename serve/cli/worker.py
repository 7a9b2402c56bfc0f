"""``riverrun worker``: reads, predicts, learns and commits, until it is told to stop."""

from __future__ import annotations

import os
import re
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serve.cli.console import print_json
from serve.cli.options import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    LogFormat,
    LogFormatOption,
    LogLevel,
    LogLevelOption,
    ParentOption,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from serve.worker_health.pulse import Pulse
    from stream.config import Config
    from stream.tracing import Tracing


_MEMBER = re.compile(r"[A-Za-z0-9._-]{1,100}")


class Runner(StrEnum):
    """Who runs the core step."""

    RIVERRUN = "riverrun"
    QUIX = "quix"


def worker(
    config: ConfigOption = DEFAULT_CONFIG,
    until_caught_up: Annotated[
        bool, typer.Option("--until-caught-up", help="Leave where the log ends.")
    ] = False,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Learn everything anew from the log.")
    ] = False,
    as_json: JsonOption = False,
    log_level: LogLevelOption = LogLevel.INFO,
    log_format: LogFormatOption = LogFormat.AUTO,
    stop_with_parent: ParentOption = False,
    runner: Annotated[
        Runner, typer.Option("--runner", help="Who reads, keeps the state and commits.")
    ] = Runner.RIVERRUN,
    member: Annotated[
        str,
        typer.Option("--member", help="With --runner quix: this process, among those that share."),
    ] = "0",
    state_dir: Annotated[
        Path, typer.Option("--state-dir", help="With --runner quix: folder of its state.")
    ] = Path("state"),
) -> None:
    """Run the worker of a stream.

    SIGTERM and Ctrl-C end it after the turn it is in, with everything committed. With --json the
    status is printed at the end.
    """
    from serve.cli.logs import configure_logs
    from serve.cli.signals import stop_with_parent as watch_parent
    from serve.cli.signals import stopping
    from serve.compose import read_secrets
    from serve.worker_health.server import healthy
    from stream.load_config import load_config

    configure_logs(log_level, log_format, process="worker")
    with stopping() as asked:
        if stop_with_parent:
            watch_parent()
        settings = load_config(config)
        secrets = read_secrets(os.environ)
        if runner is Runner.QUIX:
            status = _work_by_quix(
                settings, secrets, config, member, state_dir, until_caught_up, rebuild
            )
            if as_json:
                print_json(status)
            return
        work = _work if settings.stream.shards == "all" else _work_on_shards
        with healthy(settings, secrets) as pulse:
            status = work(settings, secrets, config, asked, pulse, until_caught_up, rebuild)
    if as_json:
        print_json(status)
    elif until_caught_up:
        _say_result(status)


def _work_by_quix(
    config: Config,
    secrets: Any,
    path: Path,
    member: str,
    state_dir: Path,
    until_caught_up: bool,
    rebuild: bool,
) -> dict[str, Any]:
    from serve.quix_runner import run_by_quix
    from stream.errors import InputError

    if rebuild:
        raise InputError(
            "--rebuild: Quix keeps the state; give the stream another name, which learns it anew"
        )
    if not _MEMBER.fullmatch(member):
        raise InputError(f"--member {member[:80]!r}: 1 to 100 letters, digits, . _ - are expected")
    return run_by_quix(
        config,
        secrets,
        str(path),
        member=member,
        state_dir=state_dir,
        until_caught_up=until_caught_up,
    )


def _work(
    config: Config,
    secrets: Any,
    path: Path,
    asked: Callable[[], bool],
    pulse: Pulse,
    until_caught_up: bool,
    rebuild: bool,
) -> dict[str, Any]:
    from serve.cli.worker_progress import WorkerProgress
    from serve.compose import opened_worker
    from stream.clock import SystemClock
    from stream.patience import run_patiently
    from stream.status import status_of

    with closing(_tracing(config)) as tracing, opened_worker(config, secrets, str(path)) as worker:
        worker.tracing = tracing
        worker.start(rebuild)
        with WorkerProgress(config, path) as progress:
            patience = config.stream.store_patience
            asks, clock = pulse.heard_in(asked), SystemClock()
            run_patiently(worker, asks, until_caught_up, progress, patience=patience, clock=clock)
        return status_of(worker.line, worker.line.scores.rolling())


def _work_on_shards(
    config: Config,
    secrets: Any,
    path: Path,
    asked: Callable[[], bool],
    pulse: Pulse,
    until_caught_up: bool,
    rebuild: bool,
) -> dict[str, Any]:
    from functools import partial

    from serve.crew import opened_crew
    from serve.shards import status_of_shards
    from stream.clock import SystemClock

    with opened_crew(
        config,
        secrets,
        str(path),
        partial(_tracing, config),
        until_caught_up=until_caught_up,
        rebuild=rebuild,
        heard=pulse.heard_in_shards,
    ) as opened:
        opened.crew.run(pulse.heard_in(asked), opened.is_read if until_caught_up else None)
        return status_of_shards(config, opened.store.sharding.all(), SystemClock().now())


def _tracing(config: Config) -> Tracing:
    """Return what follows single events, as the environment's ``OTEL_*`` have it."""
    from serve.otel import open_provider
    from stream.tracing import Untraced

    spans = open_provider(os.environ)
    if spans is None:
        return Untraced()
    from serve.traced_line import TracedLine

    return TracedLine(config, spans)


def _say_result(status: dict[str, Any]) -> None:
    from serve.cli.shards_view import shards_headline
    from serve.cli.status_view import headline

    typer.echo(shards_headline(status) if "shards" in status else headline(status))
