"""Routes without FastAPI's machinery in between, for where most requests go."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from serve.api.problems import ProblemError, problem_response

Handler = Callable[[str, Request], Awaitable[Response]]
"""Answers a request about a stream, by its name."""


class LeanRoutes:
    """Hands requests to lean routes past the router, and everything else on.

    Pure ASGI, and the innermost middleware: what surrounds every request surrounds these, too.

    Parameters
    ----------
    app
        The application inside.
    routes
        Filled by ``make_lean``.
    """

    def __init__(self, app: ASGIApp, routes: list[APIRoute]) -> None:
        self._app = app
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope["method"] == "POST":
            for route in self._routes:
                found = route.path_regex.fullmatch(scope["path"])
                if found is not None and not scope["root_path"]:
                    scope["path_params"] = found.groupdict()
                    scope["route"] = route
                    await route.app(scope, receive, send)
                    return
        await self._app(scope, receive, send)


def lean_routes(app: FastAPI) -> list[APIRoute]:
    """Let an application have lean routes; call it before other middleware is added."""
    routes: list[APIRoute] = []
    app.add_middleware(LeanRoutes, routes=routes)
    return routes


class JsonBytes(Response):
    """An answer whose JSON is there already."""

    def __init__(self, body: bytes, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        self.status_code = 200
        self.background = None
        self.body = body
        self.raw_headers = [
            (b"content-length", b"%d" % len(body)),
            (b"content-type", b"application/json"),
            *headers,
        ]


def make_lean(app: FastAPI, operation_id: str, handler: Handler, routes: list[APIRoute]) -> None:
    """Let an operation be answered by its handler at once.

    FastAPI declares and documents the route as any other, and whoever guards routes guards it.
    What it does for each request (matching routes, solving dependencies, validating the path's one
    parameter, three exit stacks) costs more than a prediction, and this operation needs none of
    it.

    Parameters
    ----------
    app
        The route was added to it last.
    operation_id
        Of the route, which is a POST, and whose path has the parameter ``stream``.
    handler
        Raises ``ProblemError`` where there is no answer.
    routes
        Those of ``LeanRoutes``; the route is added.
    """
    route = app.router.routes[-1]
    assert isinstance(route, APIRoute)  # noqa: S101 - the caller added it just now
    assert route.operation_id == operation_id  # noqa: S101
    route.app = _lean(handler)
    routes.append(route)


def _lean(handler: Handler) -> ASGIApp:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await handler(scope["path_params"]["stream"], request)
        except ProblemError as error:
            response = problem_response(error.problem, request, error.headers)
        await response(scope, receive, send)

    return answer
