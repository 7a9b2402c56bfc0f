"""``/`` and ``/ui``: the pages' shell, rendered on the server; modules fill it in the browser."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from fastapi import FastAPI
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, RedirectResponse, Response

from serve.api.dashboard.assets import add_asset_routes, assets
from serve.api.dashboard.security import page_headers
from serve.api.problems import ProblemError, problem_of
from serve.api.served_stream import Streams
from stream.storage.identity import libraries


@dataclass(frozen=True, slots=True)
class PageEntry:
    """A page of the dashboard.

    Parameters
    ----------
    name
        In its address, and of its module.
    title
        In the navigation.
    question
        What it answers within five seconds.
    icon
        Its symbol in ``icons.svg``.
    """

    name: str
    title: str
    question: str
    icon: str


PAGES = (
    PageEntry("overview", "Overview", "Is it healthy?", "pulse"),
    PageEntry("drift", "Drift", "Which features have changed, and since when?", "grid"),
    PageEntry("feature", "Feature", "Has this feature drifted, and how far?", "bars"),
    PageEntry("schema", "Schema", "What was wrong with the events?", "check"),
    PageEntry("performance", "Performance", "Is the model better than the baselines?", "trend"),
    PageEntry("retraining", "Retraining", "What became of the last retraining?", "cycle"),
    PageEntry("predictions", "Predictions", "What came out lately?", "list"),
    PageEntry("system", "System", "Is any part red?", "chip"),
)
"""In the order of the navigation."""

BY_NAME = {page.name: page for page in PAGES}
_WITH_CHARTS = frozenset({"drift", "feature", "schema", "performance", "system", "retraining"})


def add_dashboard_routes(app: FastAPI, streams: Streams) -> None:
    """Add the dashboard: its pages, and the files that they need."""
    add_asset_routes(app)

    @app.get("/", include_in_schema=False)
    @app.get("/ui", include_in_schema=False)
    @app.get("/ui/", include_in_schema=False)
    async def home() -> Response:
        return _to(next(iter(streams)).name, "overview")

    @app.get("/ui/{stream}", include_in_schema=False)
    @app.get("/ui/{stream}/", include_in_schema=False)
    async def stream_home(stream: str) -> Response:
        return _to(streams.find(stream).name, "overview")

    @app.get("/ui/{stream}/{page}", include_in_schema=False)
    async def show_page(stream: str, page: str) -> Response:
        served, entry = streams.find(stream), BY_NAME.get(page)
        if entry is None:
            detail = f"there is no page {page[:100]!r}; there are: {', '.join(BY_NAME)}"
            raise ProblemError(problem_of(404, "unknown_page", detail, known=list(BY_NAME)))
        names = [one.name for one in streams]
        text = (
            _environment()
            .get_template("shell.html")
            .render(
                stream=served.name,
                task=served.config.model.task,
                streams=names,
                page=entry,
                pages=PAGES,
                charts=entry.name in _WITH_CHARTS,
                root=f"/ui/assets/{assets().build}",
                plotly=assets().plotly_url,
            plotly_styles=assets().plotly_styles,
                version=libraries()["riverrun"],
            )
        )
        return HTMLResponse(text, headers=page_headers())


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("serve.api.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _to(stream: str, page: str) -> Response:
    return RedirectResponse(f"/ui/{stream}/{page}", status_code=307)
