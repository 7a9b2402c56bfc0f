"""A comparison of policies as one HTML page that needs no network.

Charts are drawn by plotly.js, which the page carries in itself (about 5 MB): no request leaves the
reader's machine, and the page can be archived by a CI as it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

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
from serve.pages.render import COLOURS, framed, render, write
from stream.backtest.result import WINDOW, PolicyResult

_POINTS = 600
_RUNS_SHOWN = 200
_MARKS = {"promoted": "triangle-up", "wasted": "x", "other": "circle-open"}


def write_page(found: Comparison, path: Path) -> None:
    """Write the page.

    Raises
    ------
    InputError
        The file cannot be written.
    """
    write(page(found), path, "--html")


def page(found: Comparison) -> str:
    """Return the page as text."""
    metric = next(iter(found.results[0].scores), "")
    charts = _charts(found)
    return render(
        Path(__file__).parent,
        {name: chart for name, _, _, chart in charts},
        found=found,
        headline=headline(found),
        suspicions=suspicions(found),
        metric=metric,
        window=WINDOW,
        rows=[_row(found, result, metric) for result in found.results],
        runs=[(r.policy, run) for r in found.results for run in r.runs][:_RUNS_SHOWN],
        runs_in_all=sum(len(result.runs) for result in found.results),
        demands=[(answer.holds, demand_line(answer)) for answer in found.answers],
        figures=[(name, title, text) for name, title, text, _ in charts],
    )


def _row(found: Comparison, result: PolicyResult, metric: str) -> dict[str, Any]:
    gained = found.gain(result)
    answers = result.answers(found.changes)
    return {
        "policy": result.policy,
        "loss": figure(result.loss),
        "against": percent(None if gained is None else -gained),
        "score": figure(result.scores.get(metric)),
        "retrains": len(result.runs),
        "promoted": result.count("promoted"),
        "wasted": result.count("wasted"),
        "cut_off": unfinished(result),
        "after": [after(answers, what) for what in ("noticed", "promoted", "recovered")],
        "training": f"{result.training_seconds:.1f}",
        "seconds": f"{result.seconds:.1f}",
    }


def _charts(found: Comparison) -> list[tuple[str, str, str, Any]]:
    first = found.results[0].policy
    charts = [
        (
            "rolling",
            "Loss over time",
            f"Mean loss of the last {WINDOW} labels. Triangles: a model was promoted; crosses: a "
            "run was wasted. Dotted: known changes.",
            _rolling(found),
        )
    ]
    if len(found.results) > 1:
        text = (
            f"Sum of the losses of {first} minus those of each policy: where a line rises, "
            "that policy does better."
        )
        charts.append(("saved", f"Loss saved against {first}", text, _saved(found)))
    return charts


def _rolling(found: Comparison) -> Any:
    from plotly import graph_objects as go

    chart = go.Figure()
    for result, colour in zip(found.results, _colours(found), strict=True):
        at, loss = result.rolling(_POINTS)
        chart.add_scatter(
            x=at, y=loss, name=result.policy, mode="lines", line={"color": colour, "width": 1.6}
        )
        ends = [(run.promoted or run.ended, run) for run in result.runs]
        shown = [(event, run) for event, run in ends if event is not None]
        if shown:
            chart.add_scatter(
                x=[event for event, _ in shown],
                y=np.interp([event for event, _ in shown], at, loss),
                text=[f"run {run.number}: {run.outcome}. {run.sentence}" for _, run in shown],
                name=f"{result.policy}: runs",
                mode="markers",
                showlegend=False,
                hovertemplate="%{text}<extra></extra>",
                marker={"color": colour, "size": 9, "symbol": [_mark(run) for _, run in shown]},
            )
    return _framed(chart, found, f"loss, last {WINDOW} labels")


def _saved(found: Comparison) -> Any:
    from plotly import graph_objects as go

    base = found.results[0]
    chart = go.Figure()
    total = base.losses.cumsum()
    for result, colour in list(zip(found.results, _colours(found), strict=True))[1:]:
        size = min(len(total), len(result.losses))
        if not size:
            continue
        ends = np.unique(np.linspace(0, size - 1, _POINTS).astype(int))
        saved = (total[:size] - result.losses.cumsum()[:size])[ends]
        chart.add_scatter(
            x=result.at[ends], y=saved, name=result.policy, mode="lines", line={"color": colour}
        )
    return _framed(chart, found, "loss saved, summed")


def _framed(chart: Any, found: Comparison, title: str) -> Any:
    for change in found.changes:
        chart.add_vline(x=change, line={"dash": "dot", "width": 1.2, "color": "#888888"})
    return framed(chart, "events", title)


def _colours(found: Comparison) -> list[str]:
    return [COLOURS[number % len(COLOURS)] for number in range(len(found.results))]


def _mark(run: Any) -> str:
    if run.promoted is not None:
        return _MARKS["promoted"]
    return _MARKS["wasted" if run.is_wasted else "other"]
