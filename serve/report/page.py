"""A report as one HTML page that needs no network: it can be mailed, archived and printed."""

from __future__ import annotations

from datetime import UTC, datetime
from math import isnan
from pathlib import Path
from typing import Any

from serve.pages.render import COLOURS, framed, iso, plain, render
from serve.report.panes import grid
from stream.counts import LABEL_FATES

_BINS = 40
_NAME = 30
_TICKS = 5
_NOTHING = "\u200b"  # takes no room
_GREY, _BLUE = COLOURS[0], "#0072B2"
# Below 0.7 of the threshold all is calm; from 1 on it is an alarm.
_SCALE = [
    [0.0, "rgba(86,180,233,0.10)"],
    [0.35, "rgba(86,180,233,0.35)"],
    [0.4999, "rgba(230,159,0,0.75)"],
    [0.5, "#D55E00"],
    [1.0, "#8B1A1A"],
]


def page(found: dict[str, Any]) -> str:
    """Return the page as text.

    Parameters
    ----------
    found
        As ``gather`` returns it.
    """
    charts: dict[str, Any] = {}
    if any(pane["mean_loss"] for pane in found["panes"]):
        charts["loss"] = _losses(found)
    hidden = 0
    if found["ratios"]:
        charts["drift"], hidden = _heatmap(found)
    shown = found["columns"]["shown"]
    for number, column in enumerate(shown):
        charts[f"column-{number}"] = _both(column["distribution"])
    reports = {(one["role"], one["name"]): one for one in found["columns"]["tested"]}
    return render(
        Path(__file__).parent,
        charts,
        found=found,
        names=list(charts),
        hidden=hidden,
        columns=[(c["name"], c["role"], reports[c["role"], c["name"]]) for c in shown],
        scores=_scores(found),
        promoted=sum(any(c["state"] == "promoted" for c in run["story"]) for run in found["runs"]),
        fates=[(name, found["labels"][name]) for name in LABEL_FATES],
        sections=_flat(found["configuration"]["sections"]),
        iso=iso,
        figure=figure,
    )


def figure(value: float | None) -> str:
    """Return a number in four figures.

    Examples
    --------
    >>> figure(0.123456), figure(None), figure(12_345)
    ('0.1235', '-', '12,345')
    """
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _scores(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a row for each metric: the model and the baselines, lately and over all."""
    rows = []
    kinds = (
        (f"the last {found['rolling']['window']:,} labels", found["rolling"]["scores"] or {}),
        ("all labels", found["scores"] or {}),
    )
    for over, scores in kinds:
        rows += [
            {"metric": metric, "over": over, "of": {name: s[metric] for name, s in scores.items()}}
            for metric in next(iter(scores.values()), {})
        ]
    if found["mean_loss"]:
        rows.append(
            {"metric": "mean loss", "over": "the span of this report", "of": found["mean_loss"]}
        )
    return rows


def _losses(found: dict[str, Any]) -> Any:
    from plotly import graph_objects as go

    chart = go.Figure()
    panes = found["panes"]
    names = list(dict.fromkeys(name for pane in panes for name in pane["mean_loss"]))
    for number, name in enumerate(names):
        chart.add_scatter(
            x=[_day(pane["last"]) for pane in panes],
            y=[pane["mean_loss"].get(name) for pane in panes],
            name=plain(name.replace("_", " ")),
            mode="lines",
            line={
                "color": _BLUE if name == "model" else COLOURS[(number - 1) % len(COLOURS)],
                "width": 2 if name == "model" else 1.2,
                "dash": "solid" if name == "model" else "dot",
            },
        )
    _mark(chart, found)
    return framed(chart, "event time", "mean loss", 340)


def _heatmap(found: dict[str, Any]) -> tuple[Any, int]:
    """Return the timeline of ratios, and how many columns are left out."""
    from plotly import graph_objects as go

    names, ends, values = grid(found["ratios"], len(found["panes"]))
    labels = [plain(name.split("/", 1)[1], _NAME) for name in names]
    rows = _apart(labels)
    chart = go.Figure(
        go.Heatmap(
            x=[_day(found["panes"][end]["last"]) for end in ends],
            y=rows,
            z=[
                [None if isnan(value) else round(value, 3) for value in row]
                for row in values.tolist()
            ],
            zmin=0,
            zmax=2,
            colorscale=_SCALE,
            xgap=0.5,
            ygap=1,
            hoverongaps=False,
            hovertemplate="%{y}<br>%{x}<br>%{z:.2f} of the threshold<extra></extra>",
            colorbar={"title": {"text": "ratio"}, "tickvals": [0, 0.7, 1, 2], "thickness": 12},
        )
    )
    _mark(chart, found)
    framed(chart, "event time", "", max(260, 24 * len(rows) + 110))
    chart.update_yaxes(autorange="reversed", showgrid=False, automargin=True, type="category")
    chart.update_layout(margin={"l": 120, "t": 28})
    return chart, len(found["ratios"]) - len(names)


def _mark(chart: Any, found: dict[str, Any]) -> None:
    """Draw when a challenger took over, and when one was sent back."""
    panes = found["panes"]
    for run in found["runs"]:
        for change in run["story"]:
            if change["state"] not in ("promoted", "rolled_back"):
                continue
            if panes[0]["first"] <= change["time"] <= panes[-1]["last"]:
                back = change["state"] == "rolled_back"
                chart.add_vline(
                    x=_day(change["time"]),
                    line={"color": COLOURS[5 if back else 3], "width": 1.4, "dash": "dash"},
                )


def _both(found: dict[str, Any]) -> Any:
    from plotly import graph_objects as go

    bins = (found["top_categories"] or found["bins"])[:_BINS]
    labels = _apart([plain(one["label"], _NAME) for one in bins])
    chart = go.Figure()
    for name, key, colour in (("reference", "reference", _GREY), ("span", "current", _BLUE)):
        chart.add_bar(x=labels, y=[one[key] for one in bins], name=name, marker={"color": colour})
    framed(chart, "", "share", 260)
    # Of many bins a few are named on the axis; the others when pointed at.
    named = slice(None, None, max(1, -(-len(labels) // _TICKS)))
    texts = [
        plain(one["label"], _NAME) if one["high"] is None else f"to {one['high']:.3g}"
        for one in bins[named]
    ]
    chart.update_xaxes(
        type="category", automargin=True, tickvals=labels[named], ticktext=texts, tickangle=0
    )
    chart.update_yaxes(tickformat=".0%")
    return chart


def _apart(labels: list[str]) -> list[str]:
    """Return labels that Plotly keeps apart, though cut names may look alike."""
    seen: dict[str, int] = {}
    apart = []
    for label in labels:
        seen[label] = seen.get(label, 0) + 1
        apart.append(label + _NOTHING * (seen[label] - 1))
    return apart


def _flat(sections: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (f"{section}.{key}", str(value))
        for section, keys in sections.items()
        for key, value in keys.items()
    ]


def _day(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"
