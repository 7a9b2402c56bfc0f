"""``riverrun drift``: whether values have changed between two sets of data."""

from __future__ import annotations

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
from serve.cli.options import JsonOption
from stream.errors import InputError

if TYPE_CHECKING:
    from serve.cli.drift_result import DriftResult

DRIFT = 1


def drift(
    reference: Annotated[
        Path,
        typer.Argument(
            help="What to compare with: .csv, .tsv or .jsonl, also with .gz, or .parquet."
        ),
    ],
    current: Annotated[Path, typer.Argument(help="What is compared with it.")],
    columns: ColumnsOption = None,
    ignore: IgnoreOption = None,
    schema: SchemaOption = None,
    false_alarms: FalseAlarmsOption = FALSE_ALARMS,
    wasserstein_floor: WassersteinFloorOption = 0.1,
    js_floor: JsFloorOption = 0.1,
    as_json: JsonOption = False,
) -> None:
    """Tell which features have drifted between two files.

    A feature has drifted when its change is both significant, so that chance alone would not show
    it, and large enough to matter. A comparison counts as one pane of the budget. Ids, times and
    counters are left out, and named.

    Leaves with 0 without drift, with 1 with drift, with 2 where a file cannot be used or has too
    few values to tell.
    """
    from serve.cli.drift_choice import Choice, read_schema, split_names
    from serve.cli.drift_files import compare_files
    from serve.cli.monitor_options import skew_config

    choice = Choice(split_names(columns), split_names(ignore), read_schema(schema))
    config = skew_config(false_alarms, wasserstein_floor=wasserstein_floor, js_floor=js_floor)
    result = compare_files(reference, current, choice, config)
    show(result, as_json=as_json)
    if not result.usable:
        raise InputError(f"each feature needs {config.min_values} values in both files")
    if result.drifted:
        raise typer.Exit(DRIFT)


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
