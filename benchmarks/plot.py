"""Small pictures for the documentation, drawn by Plotly in Debian's Chromium."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote

Line = tuple[str, list[float], list[float]]


def draw(path: Path, panels: list[tuple[str, str, list[Line]]]) -> bool:
    """Write panels, each a title, the horizontal axis and its lines, as one SVG.

    Returns
    -------
    bool
        Whether it was written; without Chromium or Playwright it is said, and nothing is.
    """
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    columns = 3
    figure = make_subplots(
        rows=-(-len(panels) // columns),
        cols=columns,
        subplot_titles=[title for title, _, _ in panels],
        vertical_spacing=0.22,
    )
    for place, (_, axis, lines) in enumerate(panels):
        at: dict[str, Any] = {"row": place // columns + 1, "col": place % columns + 1}
        for name, x, y in lines:
            figure.add_trace(
                go.Scatter(
                    x=[str(value) for value in x], y=y, name=name, mode="lines+markers",
                    line_color=_COLOURS.get(name, _OTHER), legendgroup=name,
                    showlegend=all(one["name"] != name for one in figure.data),
                ),
                **at,
            )  # fmt: skip
        figure.update_xaxes(title_text=axis, type="category", **at)
        figure.update_yaxes(rangemode="tozero", **at)
    figure.update_layout(
        template="plotly_white", width=960, height=520, margin={"t": 40, "b": 40, "l": 40, "r": 10},
        font_size=11, legend={"orientation": "h", "y": -0.18},
    )  # fmt: skip
    return _export(figure, path)


_COLOURS = {"cost": "#1f6feb", "bare": "#8b949e", "label_cost": "#d29922"}
_OTHER = "#57606a"


def _export(figure: Any, path: Path) -> bool:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        sys.stderr.write(f"{path.name}: not drawn, playwright is not installed\n")
        return False
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if chromium is None:
        sys.stderr.write(
            f"{path.name}: not drawn, there is no Chromium (apt-get install chromium)\n"
        )
        return False
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.set_content(figure.to_html(include_plotlyjs=True, full_html=True))
        found = page.evaluate(
            "() => Plotly.toImage(document.querySelector('.plotly-graph-div'), {format: 'svg'})"
        )
        browser.close()
    path.write_text(unquote(found.partition(",")[2]) + "\n", encoding="utf-8")
    return True
