"""The measured rate of false alarms, for a person and as plain data."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from serve.cli.placebo_run import PlaceboRun
from serve.cli.printable import printable

if TYPE_CHECKING:
    from rich.console import RenderableType

_SHOWN = 5


def verdict(run: PlaceboRun) -> str:
    """Name how achieved and stated rate compare: `agrees`, `more`, `fewer` or `unknown`."""
    if run.low > run.stated:
        return "more"
    if run.high < run.stated:
        return "fewer"
    return "unknown" if run.high > 3 * run.stated else "agrees"


def interpretation(run: PlaceboRun) -> str:
    """Say in a sentence what the figures mean.

    Parameters
    ----------
    run
        What was measured.

    Returns
    -------
    str
        And what to do about it.
    """
    match verdict(run):
        case "more":
            names = ", ".join(printable(name) for name in list(run.by_column)[:_SHOWN])
            return (
                f"More alarms than stated, first of all by {names}: panes of this file differ more "
                "than chance would have it. Give the monitor a longer reference, longer panes, "
                "or leave these columns out."
            )
        case "fewer":
            return (
                "Fewer alarms than stated: the smallest effects that matter and the guard against "
                "autocorrelation hold back what chance alone would show."
            )
        case "agrees":
            return "The achieved rate agrees with the stated one."
        case _:
            return (
                f"{run.panes:,} panes are too few to tell: say --panes "
                f"{round(10 / run.stated)} to see ten alarms."
            )


def placebo_view(run: PlaceboRun) -> RenderableType:
    """Draw what was measured.

    Parameters
    ----------
    run
        What was measured.

    Returns
    -------
    RenderableType
        Stated and achieved rate, their meaning, and the columns in alarm.
    """
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 3, 0, 0))
    for title in ("alarms per 1,000 panes", "", "95 % interval"):
        table.add_column(title, justify="left" if title else "right")
    table.add_row("stated", _rate(run.stated), "")
    table.add_row("achieved", _rate(run.achieved), f"{_rate(run.low)} to {_rate(run.high)}")
    drawn = (
        f"whole panes of one half of {run.pool}, against the other half"
        if run.resample == "panes"
        else "single events"
    )
    lines = [
        f"{run.alarms:,} alarms in {run.panes:,} panes of {run.pane_events:,} events, "
        f"{run.columns} columns; drawn: {drawn}",
        interpretation(run),
    ]
    lines += [
        f"  {printable(name)}: {count:,} panes"
        for name, count in list(run.by_column.items())[:_SHOWN]
    ]
    lines += [f"Left out: {printable(name)} ({why})" for name, why in run.left_out.items()]
    return Group(table, Text(), *(Text(line) for line in lines))


def as_data(run: PlaceboRun) -> dict[str, Any]:
    """Give what was measured as plain data for JSON.

    Parameters
    ----------
    run
        What was measured.

    Returns
    -------
    dict
        Rates are alarms per pane.
    """
    return asdict(run) | {
        "achieved": run.achieved,
        "verdict": verdict(run),
        "interpretation": interpretation(run),
    }


def _rate(per_pane: float) -> str:
    return f"{1000 * per_pane:.3g}"
