"""``riverrun check``: everything that can be wrong before a worker starts, all at once."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serve.cli.console import output, print_json
from serve.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, LogLevel

if TYPE_CHECKING:
    from serve.cli.checks import Finding


def check(
    config: ConfigOption = DEFAULT_CONFIG,
    create_topics: Annotated[
        bool, typer.Option("--create-topics", help="Create the topics that are missing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Validate the configuration, reach the log and the store, build the pipeline.

    Every problem is reported, not only the first. The embedded log and store are created where
    they are missing, as a worker would.
    """
    from serve.cli.checks import run_checks
    from serve.cli.logs import configure_logs

    configure_logs(LogLevel.WARNING)
    findings = run_checks(config, os.environ, create_topics)
    problems = [finding for finding in findings if not finding.ok]
    if as_json:
        shown = [asdict(finding) for finding in findings]
        print_json({"config": str(config), "ok": not problems, "checks": shown})
    else:
        _show(config, findings)
    if problems:
        raise typer.Exit(problems[0].exit_code)


def _show(config: Path, findings: list[Finding]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for _ in range(3):
        table.add_column(overflow="fold")
    for finding in findings:
        mark = Text("ok", "green") if finding.ok else Text("FAILED", "red")
        table.add_row(mark, finding.check, Text(finding.found))
    output().print(table)
    count = sum(not finding.ok for finding in findings)
    typer.echo(
        f"{config}: {f'{count} of {len(findings)} checks failed' if count else 'all is well'}"
    )
