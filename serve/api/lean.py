"""A route without FastAPI's machinery in between, for where most requests go."""

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


def make_lean(app: FastAPI, operation_id: str, handler: Handler) -> None:
    """Let an operation be answered by its handler at once, and looked for before the others.

    FastAPI declares and documents the route as any other. What it does for each request (solving
    dependencies, validating the path's one parameter, two exit stacks) costs more than a
    prediction, and this operation needs none of it.

    Parameters
    ----------
    app
        The route was added to it last.
    operation_id
        Of the route, whose path has the parameter ``stream``.
    handler
        Raises ``ProblemError`` where there is no answer.
    """
    route = app.router.routes.pop()
    assert isinstance(route, APIRoute)  # noqa: S101 - the caller added it just now
    assert route.operation_id == operation_id  # noqa: S101
    route.app = _lean(handler)
    app.router.routes.insert(0, route)


def _lean(handler: Handler) -> ASGIApp:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await handler(scope["path_params"]["stream"], request)
        except ProblemError as error:
            response = problem_response(error.problem, request, error.headers)
        await response(scope, receive, send)

    return answer
