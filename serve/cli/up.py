"""``riverrun up``: the worker and the API together."""

from __future__ import annotations

import os
import sys
import time
from contextlib import closing

import typer

from serve.cli.options import (
    DEFAULT_CONFIG,
    ConfigOption,
    LogFormat,
    LogFormatOption,
    LogLevel,
    LogLevelOption,
)

_LOOK_EVERY_SECONDS = 0.1


def up(
    config: ConfigOption = DEFAULT_CONFIG,
    log_level: LogLevelOption = LogLevel.INFO,
    log_format: LogFormatOption = LogFormat.AUTO,
) -> None:
    """Run the worker and the API as two processes.

    When one of them ends, the other is stopped and its exit code is returned. SIGTERM and Ctrl-C
    stop both cleanly; if this process is killed, they stop by themselves.
    """
    from serve.children import Children
    from serve.cli.signals import stopping
    from serve.compose import open_stream_log, open_stream_store, prepare_topics, read_secrets
    from stream.load_config import load_config

    settings = load_config(config)
    secrets = read_secrets(os.environ)
    # What is wrong with either is said once, here, and not by two processes at a time.
    with closing(open_stream_log(settings, secrets)) as log:
        prepare_topics(settings, log)
    open_stream_store(settings, secrets).close()

    if log_format is LogFormat.AUTO:
        log_format = LogFormat.CONSOLE if sys.stderr.isatty() else LogFormat.JSON
    options = ["--config", str(config), "--log-level", log_level, "--log-format", log_format]
    with stopping() as asked, Children(_echo) as children:
        children.start("worker", *options)
        children.start("api", *options)
        while not asked():
            children.check()
            time.sleep(_LOOK_EVERY_SECONDS)
        code = children.stop()
    if code:
        raise typer.Exit(code)


def _echo(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
