"""``riverrun schema``: a readable schema from a sample or a stream, and a file checked by it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from serve.cli.console import print_json, say
from serve.cli.monitor_options import IgnoreOption
from serve.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, LogLevel
from stream.errors import InputError

ERRORS = 1


def schema_infer(
    sample: Annotated[
        Path, typer.Argument(help="Events as .csv, .tsv or .jsonl, also with .gz, or .parquet.")
    ],
    target: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write; default: print it.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    ignore: IgnoreOption = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "-c",
            help="The stream's configuration; default: riverrun.toml where it is here and is of "
            "these columns.",
        ),
    ] = None,
) -> None:
    """Write a schema from a sample of events, for people to read, edit and version.

    Ids and times are put under 'ignored': they may be there and are not looked at. So is what
    riverrun.toml says is no feature, and types are those that it declares: the file can stand
    there as monitor.schema_file.
    """
    from monitor.errors import SchemaError
    from monitor.schema_text import schema_to_toml
    from serve.cli.drift_choice import split_names
    from serve.cli.printable import printable
    from serve.cli.schema_infer import infer_file
    from serve.cli.schema_known import known_columns

    _refuse_existing(target, force)
    found = infer_file(sample, split_names(ignore), known_columns(config, sample))
    try:
        text = schema_to_toml(found.schema)
    except SchemaError as error:
        raise InputError(f"{sample}: {error}") from None
    _put(text, target)
    if target is not None:
        count = len(found.schema.features)
        say(f"{target}: written from {found.rows:,} rows of {sample}, {count} features")
    for name, why in found.left_out.items():
        say(f"  {printable(name)} is ignored: it {why}")
    for note in found.notes:
        say(f"  {printable(note, 400)}")


def schema_show(
    config: ConfigOption = DEFAULT_CONFIG,
    target: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write; default: print it.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Print the schema that a stream's events are checked against, by the newest checkpoint.

    It is as schema.toml, to edit and to name as monitor.schema_file; a running worker takes a
    changed file up by itself. Says whether it was inferred from the warm-up or given.

    Leaves with 1 where there is no schema yet.
    """
    from serve.cli.logs import configure_logs
    from serve.cli.schema_show import shown_schema
    from serve.compose import read_secrets
    from stream.load_config import load_config

    if as_json and target is not None:
        raise InputError("--json prints, and --output writes a schema.toml; say one of them")
    _refuse_existing(target, force)
    configure_logs(LogLevel.WARNING)
    settings = load_config(config)
    shown = shown_schema(settings, read_secrets(os.environ))
    if as_json:
        print_json(shown.as_data())
        return
    _put(shown.text, target)
    if target is not None:
        say(f"{target}: written")
    for line in shown.notes(settings, config, target):
        say(line)


def _refuse_existing(target: Path | None, force: bool) -> None:
    if target is not None and target.exists() and not force:
        raise InputError(f"{target} exists; say --force to replace it, or --output for another")


def _put(text: str, target: Path | None) -> None:
    """Print a text, or write it to a file in one go: a worker may be watching that file."""
    if target is None:
        typer.echo(text, nl=False)
        return
    fresh = target.with_name(f".{target.name}.new")
    try:
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(target)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise InputError(f"{target}: {error.strerror}; name another with --output") from None


def schema_check(
    file: Annotated[
        Path, typer.Argument(help="Events as .csv, .tsv or .jsonl, also with .gz, or .parquet.")
    ],
    schema: Annotated[Path, typer.Option("--schema", help="What they are checked against.")] = Path(
        "schema.toml"
    ),
    as_json: JsonOption = False,
) -> None:
    """Check a file's events against a schema, as the worker would check them.

    Each kind of anomaly is shown with its count, its first and last place and an example; and with
    the name that TensorFlow Data Validation has for it.

    Leaves with 0 where there is nothing worse than a warning, with 1 for errors, with 2 where the
    file or the schema cannot be used.
    """
    from serve.cli.drift_choice import read_schema
    from serve.cli.printable import forgiving_output
    from serve.cli.schema_check import check_file
    from serve.cli.schema_view import as_data, schema_view

    declared = read_schema(schema)
    if declared is None:
        raise InputError(f"{schema}: no schema")
    result = check_file(file, declared)
    if as_json:
        print_json(as_data(result))
    else:
        forgiving_output().print(schema_view(result))
    if result.severity == "error":
        raise typer.Exit(ERRORS)
