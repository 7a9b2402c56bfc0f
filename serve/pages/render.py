"""One template and some charts as one file: plotly.js stands in it, so that it needs no network."""

from __future__ import annotations

import html
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from serve.cli.printable import printable
from stream.errors import InputError

# Okabe and Ito's colours: told apart by people who see colours differently, on light and on dark.
COLOURS = ("#999999", "#E69F00", "#56B4E9", "#009E73", "#CC79A7", "#D55E00")
GRID = "rgba(128,128,128,0.25)"
_LONGEST = 60


def render(folder: Path, charts: Mapping[str, Any], **values: Any) -> str:
    """Return ``page.html`` of a folder as text; it extends ``base.html``.

    Parameters
    ----------
    folder
        Where the template is.
    charts
        Plotly's figures by name; each has an element ``chart-NAME`` in the template.
    values
        For the template. They are escaped there.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from plotly.offline import get_plotlyjs

    environment = Environment(
        loader=FileSystemLoader([folder, Path(__file__).parent]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html").render(
        charts=[(name, _script(chart)) for name, chart in charts.items()],
        plotly_js=get_plotlyjs(),
        **values,
    )


def framed(chart: Any, x: str, y: str, height: int = 380) -> Any:
    """Give a chart the look that all have; its ink is the page's."""
    chart.update_layout(
        template="none",
        height=height,
        margin={"l": 64, "r": 16, "t": 8, "b": 48},
        legend={"orientation": "h", "y": 1.12},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        hovermode="closest",
    )
    chart.update_xaxes(title=x, gridcolor=GRID, zeroline=False)
    chart.update_yaxes(title=y, gridcolor=GRID, zerolinecolor="rgba(128,128,128,0.6)")
    return chart


def plain(text: str, limit: int = _LONGEST) -> str:
    """Return text that Plotly shows as it is: it would read tags, and names are people's data.

    Examples
    --------
    >>> plain("<b>x</b>")
    '&lt;b&gt;x&lt;/b&gt;'
    """
    return html.escape(printable(text, limit), quote=False)


def iso(seconds: float | None) -> str:
    """Return a time for people, to the minute.

    Examples
    --------
    >>> iso(1_357_034_400.5), iso(None)
    ('2013-01-01 10:00 UTC', '-')
    """
    if seconds is None:
        return "-"
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"
    except (OverflowError, ValueError, OSError):
        return f"{seconds:g} s"


def write(text: str, path: Path, option: str) -> int:
    """Write a page; return its size in bytes.

    Raises
    ------
    InputError
        The file cannot be written.
    """
    data = text.encode("utf-8", "replace")
    try:
        path.write_bytes(data)
    except OSError as error:
        raise InputError(f"{option}: {path}: {error.strerror}; name another file") from None
    return len(data)


def _script(chart: Any) -> str:
    """Return a chart as JSON that cannot end the script element that it stands in."""
    text: str = chart.to_json()
    return text.replace("<", "\\u003c")
