"""A comparison of policies as a table for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serve.backtest.compare import Comparison
from serve.backtest.words import (
    after,
    demand_line,
    figure,
    headline,
    percent,
    suspicions,
    unfinished,
)
from serve.cli.printable import printable
from serve.sparkline import BLOCKS, sparkline
from stream.backtest.result import WINDOW

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

_POINTS = 30
_RUNS_SHOWN = 12


def comparison_view(found: Comparison, *, blocks: str = BLOCKS) -> RenderableType:
    """Draw a comparison.

    Parameters
    ----------
    found
        What was found.
    blocks
        As for `sparkline`.

    Returns
    -------
    RenderableType
        A sentence, a table with a row for each policy, the delays after known changes, the runs,
        whether demands hold, and notes.
    """
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [
        Text(f"{printable(found.history.name, 80)}: {found.history.events:,} events"),
        Text(headline(found), style="bold"),
        _policies(found, blocks),
        Text(f"Rolling loss over {WINDOW} labels, all on one scale.", style="dim"),
    ]
    if found.changes:
        parts.append(_delays(found))
    if (text := suspicions(found)) is not None:
        parts.append(Text(text))
    if any(result.runs for result in found.results):
        parts.append(_runs(found))
    parts += [
        Text(demand_line(answer), style="green" if answer.holds else "bold red")
        for answer in found.answers
    ]
    parts += [Text(f"note: {printable(note, 300)}", style="dim") for note in found.notes]
    return Group(*parts)


def _policies(found: Comparison, blocks: str) -> Table:
    from rich.table import Table

    metric = next(iter(found.results[0].scores), "")
    curves = {result.policy: result.rolling(_POINTS)[1] for result in found.results}
    top = max((max(curve, default=0.0) for curve in curves.values()), default=0.0)
    table = Table(box=None, pad_edge=False)
    table.add_column("policy")
    columns = ("loss", "against never", metric, "retrains", "promoted", "wasted", "cut off")
    for name in (*columns, "training", "in all"):
        table.add_column(name, justify="right")
    table.add_column("rolling loss", no_wrap=True)
    for result in found.results:
        gained = found.gain(result)
        table.add_row(
            result.policy,
            figure(result.loss),
            percent(None if gained is None else -gained),
            figure(result.scores.get(metric)),
            str(len(result.runs)),
            str(result.count("promoted")),
            str(result.count("wasted")),
            str(unfinished(result)),
            f"{result.training_seconds:.1f} s",
            f"{result.seconds:.1f} s",
            sparkline(curves[result.policy], top, blocks),
        )
    return table


def _delays(found: Comparison) -> Table:
    from rich.table import Table

    rows = ", ".join(f"{change:,}" for change in found.changes)
    title = f"Events after the change at {rows} until"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name in ("policy", "a run began", "its model was promoted", "the loss was back"):
        table.add_column(name, justify="left" if name == "policy" else "right")
    for result in found.results:
        answers = result.answers(found.changes)
        cells = [after(answers, what) for what in ("noticed", "promoted", "recovered")]
        table.add_row(result.policy, *cells)
    return table


def _runs(found: Comparison) -> Table:
    from rich.table import Table

    table = Table(title="Retrains", title_justify="left", box=None, pad_edge=False)
    for name in ("policy", "run", "began", "trained on", "outcome", "because", "decision"):
        table.add_column(name)
    for result in found.results:
        for run in result.runs[:_RUNS_SHOWN]:
            table.add_row(
                result.policy,
                str(run.number),
                f"{run.began:,}",
                f"{run.learned:,}" if run.trained is not None else "-",
                run.outcome.replace("_", " "),
                printable(run.reason or run.trigger, 60),
                printable(run.sentence, 80),
            )
        if len(result.runs) > _RUNS_SHOWN:
            table.add_row(result.policy, f"and {len(result.runs) - _RUNS_SHOWN} more")
    return table
