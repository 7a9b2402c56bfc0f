"""``riverrun placebo``: the rate of false alarms that is really achieved."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from serve.cli.console import print_json
from serve.cli.monitor_options import (
    FALSE_ALARMS,
    ColumnsOption,
    FalseAlarmsOption,
    IgnoreOption,
    SchemaOption,
)
from serve.cli.options import JsonOption


class Resample(StrEnum):
    """What is drawn anew."""

    PANES = "panes"
    EVENTS = "events"


def placebo(
    reference: Annotated[
        Path,
        typer.Argument(help="Events in the order of time: .csv, .tsv, .jsonl (.gz) or .parquet."),
    ],
    false_alarms: FalseAlarmsOption = FALSE_ALARMS,
    panes: Annotated[
        int | None,
        typer.Option(
            "--panes", min=20, help="How many to test; default: enough for ten alarms, to 20,000."
        ),
    ] = None,
    pane_events: Annotated[
        int, typer.Option("--pane-events", min=10, help="Events in a pane.")
    ] = 1000,
    resample: Annotated[
        Resample,
        typer.Option(
            "--resample",
            help="Whole panes keep what events of one time have in common; single events do not.",
        ),
    ] = Resample.PANES,
    columns: ColumnsOption = None,
    ignore: IgnoreOption = None,
    schema: SchemaOption = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the draws.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Measure how often the monitor would cry wolf on data in which nothing changed.

    The data are resampled from the file, and tested in spans of 1, 4 and 16 panes as the worker
    does it. The rate is shown beside the stated one.

    Leaves with 0 whatever the rate is, with 2 where the file cannot be used.
    """
    from serve.cli.drift_choice import Choice, read_schema, split_names
    from serve.cli.monitor_options import skew_config
    from serve.cli.placebo_run import run_placebo
    from serve.cli.placebo_view import as_data, placebo_view
    from serve.cli.printable import forgiving_output

    choice = Choice(split_names(columns), split_names(ignore), read_schema(schema))
    config = skew_config(false_alarms)
    result = run_placebo(
        reference, choice, config, resample.value, panes=panes, pane_events=pane_events, seed=seed
    )
    if as_json:
        print_json(as_data(result))
    else:
        forgiving_output().print(placebo_view(result))
