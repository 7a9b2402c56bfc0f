"""``riverrun api``: answers over HTTP from the latest model."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import Annotated

import typer

from serve.cli.options import (
    DEFAULT_CONFIG,
    ConfigOption,
    LogFormat,
    LogFormatOption,
    LogLevel,
    LogLevelOption,
    ParentOption,
)


def api(
    config: ConfigOption = DEFAULT_CONFIG,
    workers: Annotated[
        int, typer.Option("--workers", min=1, max=64, help="Processes that serve on one address.")
    ] = 1,
    log_level: LogLevelOption = LogLevel.INFO,
    log_format: LogFormatOption = LogFormat.AUTO,
    stop_with_parent: ParentOption = False,
    listen_fd: Annotated[int | None, typer.Option("--listen-fd", hidden=True)] = None,
    share: Annotated[Path | None, typer.Option("--share", hidden=True)] = None,
    slot: Annotated[int, typer.Option("--slot", hidden=True)] = 0,
) -> None:
    """Serve predictions, status and metrics over HTTP.

    It listens where [api] of the configuration says, and logs the address. SIGTERM and Ctrl-C end
    it after the requests that are running.

    With --workers, several processes serve on one socket. One that dies is started again; metrics,
    limits and answers that are given again are those of all of them together.
    """
    from serve.cli.logs import configure_logs
    from serve.cli.signals import stop_with_parent as watch_parent
    from serve.cli.signals import stopping
    from serve.compose import read_secrets
    from stream.load_config import load_config

    configure_logs(log_level, log_format, process="api")
    with stopping() as asked:
        if stop_with_parent:
            watch_parent()
        settings = load_config(config)
        secrets = read_secrets(os.environ)
        if workers > 1:
            from serve.api.workers.supervise import run_workers

            options = ["--config", str(config), "--log-level", log_level]
            options += ["--log-format", _format(log_format)]
            code = run_workers(settings, secrets, workers, options, asked, _echo)
            if code:
                raise typer.Exit(code)
            return
        from serve.api.run_api import run_api
        from serve.api.workers.share import Share
        from serve.otel import open_provider

        run_api(
            settings,
            secrets,
            should_stop=asked,
            listener=None if listen_fd is None else socket.socket(fileno=listen_fd),
            share=None if share is None else Share(share, slot),
            spans=open_provider(os.environ),
        )


def _format(chosen: LogFormat) -> LogFormat:
    """Return how the processes log: by what this one writes to, since they write to a pipe."""
    if chosen is not LogFormat.AUTO:
        return chosen
    return LogFormat.CONSOLE if sys.stderr.isatty() else LogFormat.JSON


def _echo(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
