"""The files that pages load: styles and modules of this package, and Plotly's own script.

Every address holds a digest of the content, so that a browser keeps a file for good and asks for
another one after an upgrade. Modules import each other by relative paths and stay within a digest.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from serve.api.dashboard.security import file_headers
from serve.api.problems import ProblemError, problem_of

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_DIGITS = 16
_STYLE_ID = re.compile(r'getElementById\("([0-9a-f]{64})"\)')
_LEVEL = 6
_NO_STORE = {"Cache-Control": "no-cache"}


@dataclass(frozen=True)
class Asset:
    """A file, as it is and compressed.

    Parameters
    ----------
    content
        Its bytes.
    media_type
        Sent with it.
    """

    content: bytes
    media_type: str

    @cached_property
    def compressed(self) -> bytes:
        """The same with gzip; it is made once."""
        return gzip.compress(self.content, _LEVEL, mtime=0)

    @property
    def digest(self) -> str:
        """A short name of the content."""
        return hashlib.sha256(self.content).hexdigest()[:_DIGITS]


class Assets:
    """All files of the dashboard, read once.

    Attributes
    ----------
    build
        Digest of all of them together.
    plotly_url
        Where Plotly's script is.
    plotly_styles
        Ids of style elements that it would write for maps, unless there is an element with that
        id already. The policy forbids them, and pages have no maps.
    """

    def __init__(self, files_by_path: Mapping[str, Asset], plotly: Asset) -> None:
        self.by_path = dict(files_by_path)
        self.plotly = plotly
        names = "".join(f"{path}:{one.digest};" for path, one in sorted(self.by_path.items()))
        self.build = hashlib.sha256(names.encode()).hexdigest()[:_DIGITS]
        self.plotly_url = f"/ui/plotly/{plotly.digest}.js"
        self.plotly_styles = _STYLE_ID.findall(plotly.content.decode())


@cache
def assets() -> Assets:
    """Return the dashboard's files.

    Examples
    --------
    >>> "app.js" in assets().by_path
    True
    """
    root = Path(__file__).parent / "static"
    found = {
        path.relative_to(root).as_posix(): Asset(path.read_bytes(), _TYPES[path.suffix])
        for path in sorted(root.rglob("*"))
        if path.suffix in _TYPES
    }
    return Assets(found, Asset(_plotly_file().read_bytes(), _TYPES[".js"]))


def _plotly_file() -> Path:
    """Return the package's own copy; found without importing plotly, which takes a while."""
    spec = find_spec("plotly")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("plotly is not installed; it comes with riverrun: install again")
    return Path(spec.origin).parent / "package_data" / "plotly.min.js"


def add_asset_routes(app: FastAPI) -> None:
    """Add the routes of the files."""

    @app.get("/ui/assets/{build}/{path:path}", include_in_schema=False)
    async def asset(build: str, path: str, request: Request) -> Response:
        held = assets()
        found = held.by_path.get(path)
        if found is None:
            raise _missing(path)
        return await _answer(found, request, fresh=build == held.build)

    @app.get("/ui/plotly/{digest}.js", include_in_schema=False)
    async def plotly(digest: str, request: Request) -> Response:
        found = assets().plotly
        return await _answer(found, request, fresh=digest == found.digest)

    @app.get("/favicon.ico", include_in_schema=False)
    async def favicon(request: Request) -> Response:
        return await _answer(assets().by_path["favicon.svg"], request, fresh=False)


async def _answer(found: Asset, request: Request, *, fresh: bool) -> Response:
    headers = file_headers()
    if not fresh:  # an address from before an upgrade: what is here now, for once
        headers |= _NO_STORE
    content = found.content
    if "gzip" in request.headers.get("accept-encoding", ""):
        content = await asyncio.to_thread(getattr, found, "compressed")
        headers["Content-Encoding"] = "gzip"
    return Response(content, headers=headers, media_type=found.media_type)


def _missing(path: str) -> ProblemError:
    return ProblemError(problem_of(404, "unknown_file", f"no file {path[:100]!r} is here"))
