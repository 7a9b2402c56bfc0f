"""``/`` and ``/ui``: the pages' shell, rendered on the server; modules fill it in the browser."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from urllib.parse import urlencode

from fastapi import FastAPI
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from serve.api.auth.access import Access
from serve.api.auth.routes import identified
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
_WITH_CHARTS = frozenset({"drift", "feature", "schema", "performance", "system"})


def add_dashboard_routes(app: FastAPI, streams: Streams, access: Access) -> None:
    """Add the dashboard: its pages, and the files that they need."""
    add_asset_routes(app)

    async def is_known(request: Request) -> bool:
        return await identified(access, request) is not None

    @app.get("/", include_in_schema=False)
    @app.get("/ui", include_in_schema=False)
    @app.get("/ui/", include_in_schema=False)
    async def home(request: Request) -> Response:
        if not await is_known(request):
            return _to_sign_in("/ui")
        return _to(f"/ui/{next(iter(streams)).name}/overview")

    @app.get("/ui/sign-in", include_in_schema=False)
    async def sign_in_page() -> Response:
        return _page("sign-in.html")

    @app.get("/ui/{stream}", include_in_schema=False)
    @app.get("/ui/{stream}/", include_in_schema=False)
    async def stream_home(stream: str, request: Request) -> Response:
        if not await is_known(request):
            return _to_sign_in(request.url.path)
        return _to(f"/ui/{streams.find(stream).name}/overview")

    @app.get("/ui/{stream}/{page}", include_in_schema=False)
    async def show_page(stream: str, page: str, request: Request) -> Response:
        if not await is_known(request):  # not even the names of streams are told
            query = f"?{request.url.query}" if request.url.query else ""
            return _to_sign_in(request.url.path + query)
        served, entry = streams.find(stream), BY_NAME.get(page)
        if entry is None:
            detail = f"there is no page {page[:100]!r}; there are: {', '.join(BY_NAME)}"
            raise ProblemError(problem_of(404, "unknown_page", detail, known=list(BY_NAME)))
        return _page(
            "shell.html",
            stream=served.name,
            task=served.config.model.task,
            streams=[one.name for one in streams],
            page=entry,
            pages=PAGES,
            charts=entry.name in _WITH_CHARTS,
        )


def _page(template: str, **values: object) -> Response:
    held = assets()
    text = (
        _environment()
        .get_template(template)
        .render(
            root=f"/ui/assets/{held.build}",
            plotly=held.plotly_url,
            plotly_styles=held.plotly_styles,
            version=libraries()["riverrun"],
            **values,
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


def _to(path: str) -> Response:
    return RedirectResponse(path, status_code=307)


def _to_sign_in(path: str) -> Response:
    return RedirectResponse(f"/ui/sign-in?{urlencode({'to': path})}", status_code=303)
