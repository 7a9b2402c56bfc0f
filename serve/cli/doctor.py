"""``riverrun doctor``: what is wrong with a stream that runs, and what to do."""

from __future__ import annotations

import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from serve.cli.console import output, print_json
from serve.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, LogLevel

if TYPE_CHECKING:
    from serve.doctor.diagnosis import Chart

WRONG, CANNOT_LOOK = 1, 2

_STYLES = {"ok": "green", "warning": "yellow", "wrong": "red", "skipped": "dim"}


def doctor(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Look at log, lag, store, checkpoints, versions and API; say what is wrong and what to do.

    Nothing is changed or created. Leaves with 0 where all is fine (warnings count as that), with
    1 where something is wrong, and with 2 where it cannot look: without a configuration.
    """
    from serve.cli.logs import configure_logs
    from serve.doctor.examine import examine

    configure_logs(LogLevel.ERROR)
    chart = examine(config, os.environ, time.time())
    if as_json:
        found = [asdict(one) for one in chart.found]
        print_json({"config": str(config), "ok": chart.is_well, "found": found})
    else:
        _show(config, chart)
    if not chart.is_well:
        raise typer.Exit(WRONG)


def _show(config: Path, chart: Chart) -> None:
    from rich.table import Table
    from rich.text import Text

    from serve.cli.printable import printable

    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for _ in range(3):
        table.add_column(overflow="fold")
    for one in chart.found:
        text = Text(printable(one.found, 1_000))
        if one.advice is not None:
            text.append(f"\n-> {one.advice}", "bold")
        table.add_row(Text(one.state, _STYLES[one.state]), one.check, text)
    output().print(table)
    wrong = sum(one.state == "wrong" for one in chart.found)
    warned = sum(one.state == "warning" for one in chart.found)
    ending = f"{wrong} wrong, {warned} to look at" if wrong or warned else "all is well"
    typer.echo(f"{config}: {ending}")
