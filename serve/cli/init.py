"""``riverrun init``: a configuration from a sample of events."""

from __future__ import annotations

import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serve.cli.console import print_json, say
from serve.cli.options import DEFAULT_CONFIG, JsonOption
from stream.errors import InputError

if TYPE_CHECKING:
    from serve.tabular.guess import Guess


class GuessedTask(StrEnum):
    """Tasks that a sample can be guessed to have."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"


def init(
    sample: Annotated[Path, typer.Argument(help="Events as .csv, .tsv or .jsonl, also with .gz.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The file to write.")
    ] = DEFAULT_CONFIG,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    label: Annotated[str | None, typer.Option("--label", help="The label's column.")] = None,
    task: Annotated[
        GuessedTask | None, typer.Option("--task", help="The task, if the guess is wrong.")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="The stream's name; default: from the file's.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a commented configuration that works, from a sample of events."""
    from serve.cli.init_text import config_text
    from serve.tabular.columns import read_columns
    from serve.tabular.files import STDIN, TableFile
    from serve.tabular.guess import default_name, guess
    from stream.load_config import build_config

    if sample == STDIN:
        raise InputError("init reads a file, not standard input")
    if output.exists() and not force:
        raise InputError(f"{output} exists; say --force to replace it, or --output for another")
    with TableFile(sample) as table:
        columns = read_columns(table)
    found = guess(
        columns, name=str(sample), now=time.time_ns() // 1_000_000, label=label, task=task
    )
    rows = columns[0].rows
    text = config_text(found, name or default_name(sample), sample.name, rows)
    config = build_config(_tables(text), str(output))
    _write(output, text)
    if as_json:
        print_json({"file": str(output), "stream": config.stream.name} | _as_dict(found, rows))
        return
    _say(found, output, rows, sample)


def _tables(text: str) -> dict[str, Any]:
    import tomllib

    return tomllib.loads(text)


def _write(output: Path, text: str) -> None:
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"{output}: {error.strerror}; name another file with --output, in a folder that can "
            "be written"
        ) from None


def _as_dict(found: Guess, rows: int) -> dict[str, Any]:
    from dataclasses import asdict

    return {"rows": rows} | asdict(found)


def _say(found: Guess, output: Path, rows: int, sample: Path) -> None:
    config = "" if output == DEFAULT_CONFIG else f" --config {output}"
    typer.echo(f"{output}: written from {rows:,} rows of {sample}")
    for note in found.notes:
        typer.echo(f"  {note}")
    shown = ", ".join(f"{name} ({kind})" for name, kind in list(found.features.items())[:20])
    more = len(found.features) - 20
    typer.echo(f"  {len(found.features)} features: {shown}{f', and {more} more' * (more > 0)}")
    for column, why in found.skipped.items():
        typer.echo(f"  {column!r} is left out: it {why}")
    say("")
    say(f"Next: riverrun check{config}")
    say(f"      riverrun produce {sample}{config}")
    say(f"      riverrun up{config}")
