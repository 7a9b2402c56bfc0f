"""``riverrun schema``: a readable schema from a sample, and a file checked against it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from serve.cli.console import print_json, say
from serve.cli.monitor_options import IgnoreOption
from serve.cli.options import JsonOption
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
) -> None:
    """Write a schema from a sample of events, for people to read, edit and version.

    Ids and times are put under 'ignored': they may be there and are not looked at.
    """
    from monitor.errors import SchemaError
    from monitor.schema_text import schema_to_toml
    from serve.cli.drift_choice import split_names
    from serve.cli.printable import printable
    from serve.cli.schema_infer import infer_file

    if target is not None and target.exists() and not force:
        raise InputError(f"{target} exists; say --force to replace it, or --output for another")
    found = infer_file(sample, split_names(ignore))
    try:
        text = schema_to_toml(found.schema)
    except SchemaError as error:
        raise InputError(f"{sample}: {error}") from None
    if target is None:
        typer.echo(text, nl=False)
    else:
        try:
            target.write_text(text, encoding="utf-8")
        except OSError as error:
            raise InputError(f"{target}: {error.strerror}; name another with --output") from None
        count = len(found.schema.features)
        say(f"{target}: written from {found.rows:,} rows of {sample}, {count} features")
    for name, why in found.left_out.items():
        say(f"  {printable(name)} is ignored: it {why}")
    for note in found.notes:
        say(f"  {printable(note, 400)}")


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
