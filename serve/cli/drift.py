"""``riverrun drift``: whether values have changed between two files, or over a stream's past."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serve.cli.console import print_json
from serve.cli.monitor_options import (
    FALSE_ALARMS,
    ColumnsOption,
    FalseAlarmsOption,
    IgnoreOption,
    JsFloorOption,
    SchemaOption,
    WassersteinFloorOption,
)
from serve.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, LogLevel
from stream.errors import InputError

if TYPE_CHECKING:
    from serve.cli.drift_choice import Choice
    from serve.cli.drift_result import DriftResult

DRIFT = 1


def drift(
    ctx: typer.Context,
    reference: Annotated[
        Path | None,
        typer.Argument(
            help="What to compare with: .csv, .tsv or .jsonl, also with .gz, or .parquet."
        ),
    ] = None,
    current: Annotated[Path | None, typer.Argument(help="What is compared with it.")] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="Begin of the stream's span: an RFC 3339 time, or a duration back from the "
            "newest pane's end, such as 2h or 3d; default: the last 16 panes.",
        ),
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="Its end, likewise; default: the newest pane's.")
    ] = None,
    against: Annotated[
        str | None,
        typer.Option("--against", help="The version whose reference it is compared with."),
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    columns: ColumnsOption = None,
    ignore: IgnoreOption = None,
    schema: SchemaOption = None,
    false_alarms: FalseAlarmsOption = FALSE_ALARMS,
    wasserstein_floor: WassersteinFloorOption = 0.1,
    js_floor: JsFloorOption = 0.1,
    as_json: JsonOption = False,
) -> None:
    """Tell which features have drifted between two files, or over a span of a stream's past.

    A feature has drifted when its change is both significant, so that chance alone would not show
    it, and large enough to matter. A comparison counts as one pane of the budget.

    With two files, ids, times and counters are left out, and named. Without files the panes that
    the worker has stored are compared with the reference of a model version, without raw data, and
    with the budget and the floors of riverrun.toml; the prediction and the label are columns, too.

    Leaves with 0 without drift, with 1 with drift, with 2 where a file cannot be used, or there is
    nothing in the span, or there are too few values to tell.
    """
    from serve.cli.drift_choice import Choice, read_schema, split_names
    from serve.cli.drift_files import compare_files
    from serve.cli.monitor_options import skew_config

    _refuse_mixture(ctx)
    choice = Choice(split_names(columns), split_names(ignore), read_schema(schema))
    if reference is None or current is None:
        result, fewest = _compare_panes(config, (start, end, against), choice)
    else:
        settings = skew_config(false_alarms, wasserstein_floor=wasserstein_floor, js_floor=js_floor)
        result, fewest = compare_files(reference, current, choice, settings), settings.min_values
    show(result, as_json=as_json)
    if not result.usable:
        raise InputError(f"each feature needs {fewest} values on both sides")
    if result.drifted:
        raise typer.Exit(DRIFT)


_FILES = ("reference", "current")
_OF_PANES = {"start": "--from", "end": "--to", "against": "--against", "config": "--config"}
_OF_FILES = {
    "schema": ("--schema", "schema_file"),
    "false_alarms": ("--false-alarms", "false_alarms"),
    "wasserstein_floor": ("--wasserstein-floor", "wasserstein_floor"),
    "js_floor": ("--js-floor", "js_floor"),
}


def _refuse_mixture(ctx: typer.Context) -> None:
    """Refuse what is half a comparison of files and half one of panes."""
    sources = {name: ctx.get_parameter_source(name) for name in ctx.params}
    said = {name for name, source in sources.items() if source and source.name == "COMMANDLINE"}
    files = sum(name in said for name in _FILES)
    of_panes = [option for name, option in _OF_PANES.items() if name in said]
    if files and of_panes:
        raise InputError(
            f"{of_panes[0]} is for the stored panes of a stream, and files were named too; leave "
            "one of them out"
        )
    if files == 1:
        raise InputError("one file was named; name two, or none to compare a stream's panes")
    of_files = [found for name, found in _OF_FILES.items() if name in said]
    if of_files and not files:
        option, key = of_files[0]
        raise InputError(
            f"{option} is for two files, and none was named; of a stream, riverrun.toml says it: "
            f"monitor.{key}"
        )


def _compare_panes(
    path: Path, asked: tuple[str | None, str | None, str | None], choice: Choice
) -> tuple[DriftResult, int]:
    """Return what stored panes say, and how many values they need to say it."""
    from serve.cli.drift_online import Asked, compare_span
    from serve.cli.logs import configure_logs
    from serve.compose import read_secrets
    from serve.status_reading import NoCheckpointError, store_to_read
    from stream.load_config import load_config

    configure_logs(LogLevel.WARNING)
    if path == DEFAULT_CONFIG and not path.exists():
        raise InputError(
            f"no files were named, and there is no {path} here; name two files to compare them, "
            "or a stream's configuration with --config to compare its panes"
        )
    config = load_config(path)
    try:
        with store_to_read(config, read_secrets(os.environ)) as store:
            result = compare_span(store, config, Asked(*asked), choice)
    except NoCheckpointError as error:
        # To leave with 1 would say that there is drift.
        raise InputError(str(error)) from None
    return result, config.monitor.min_values


def show(result: DriftResult, *, as_json: bool) -> None:
    """Print a comparison.

    Parameters
    ----------
    result
        Of files, or of panes.
    as_json
        As JSON, or as a table.
    """
    from serve.cli.drift_data import as_data
    from serve.cli.drift_view import drift_view
    from serve.cli.printable import forgiving_output, takes_unicode
    from serve.sparkline import BLOCKS, PLAIN

    if as_json:
        print_json(as_data(result))
        return
    console = forgiving_output()
    blocks = BLOCKS if takes_unicode(console) else PLAIN
    console.print(drift_view(result, blocks=blocks, width=console.width))
