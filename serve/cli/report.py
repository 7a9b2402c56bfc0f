"""``riverrun report``: a stream's state, drift and model history for people who were not there."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated

import typer

from serve.cli.console import print_json, say
from serve.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, LogLevel


def report(
    start: Annotated[
        str | None, typer.Option("--from", help="Event time, or a duration back such as 7d.")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", help="Event time, or a duration back.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Default: STREAM-report.html.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Write one HTML page of how a stream is and what happened to it, from the store alone.

    Worker and API may be down. The page needs no network: mail it, archive it, print it. With
    --json the same is printed as data, and a page is written only where --out names one.

    Leaves with 1 where there is no checkpoint yet.
    """
    from serve.cli.logs import configure_logs
    from serve.cli.spans import span_of
    from serve.compose import read_secrets
    from serve.pages.render import write
    from serve.report.gather import gather
    from serve.report.page import page
    from serve.status_reading import newest_of, store_to_read
    from stream.load_config import load_config

    configure_logs(LogLevel.WARNING)
    settings = load_config(config)
    with store_to_read(settings, read_secrets(os.environ)) as store:
        newest_of(store, settings)
        found = gather(store, settings, *span_of(store.history, start, end), time.time())
    if out is not None or not as_json:
        path = out or Path(f"{settings.stream.name}-report.html")
        size = write(page(found), path, "--out")
        say(f"{path}: {size / 1e6:.1f} MB; {found['verdict']['sentence']}")
    if as_json:
        print_json(found)
