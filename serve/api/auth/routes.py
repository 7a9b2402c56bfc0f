"""``/v1/session``: a browser signs in with a key, and goes on with a cookie."""

from __future__ import annotations

import time
from typing import Annotated

import msgspec
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from serve.api.auth.access import Access
from serve.api.auth.caller import Caller, caller_of
from serve.api.auth.credentials import COOKIE
from serve.api.auth.guard import AccessMetrics
from serve.api.auth.keys import StoredKey
from serve.api.auth.refusal import Refusal
from serve.api.auth.shapes import Session
from serve.api.bodies import decode, read_body
from serve.api.monitoring.queries import moment
from serve.api.openapi import body, problems
from serve.api.problems import ProblemError

_BODY_MAX = 16_384


class _SignIn(msgspec.Struct, forbid_unknown_fields=True):
    key: Annotated[str, msgspec.Meta(min_length=1, max_length=_BODY_MAX)]


_decoder = msgspec.json.Decoder(_SignIn)


def add_session_routes(app: FastAPI, access: Access, metrics: AccessMetrics) -> None:
    """Add the routes of browser sessions."""

    @app.post(
        "/v1/session",
        operation_id="sign_in",
        summary="Sign a browser in",
        description="The answer sets a cookie that scripts cannot read and other sites cannot "
        "send. It ends when its key does. With it, what changes something also needs the header "
        "Origin, as browsers send it, or X-Requested-With.",
        tags=["session"],
        response_model=Session,
        responses=problems(400, 401, 403, 413, 415, 422, 429, 503),
        openapi_extra=body("SignIn"),
    )
    async def sign_in(request: Request) -> Response:
        key = decode(_decoder, await read_body(request, _BODY_MAX)).key.strip()
        sessions = access.sessions
        if access.is_open or sessions is None:
            return JSONResponse(_shown(caller_of(request)).model_dump(mode="json"))
        foreign = access.refuse_foreign_page(request.scope)
        known = foreign or access.by_key(request.scope, key)
        found = await access.by_token(request.scope, known) if isinstance(known, str) else known
        if isinstance(found, Refusal):
            raise _ended(found, metrics)
        caller, row = (found.caller, found) if isinstance(found, StoredKey) else (found, None)
        cookie, until = sessions.begin(caller, row, time.time())
        signed_in = Caller(caller.name, caller.role, "session", caller.bucket, until)
        response = JSONResponse(_shown(signed_in).model_dump(mode="json"))
        response.set_cookie(
            COOKIE,
            cookie,
            max_age=max(0, int(until - time.time())),
            path="/",
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )
        return response

    @app.get(
        "/v1/session",
        operation_id="show_session",
        summary="Who am I?",
        tags=["session"],
        response_model=Session,
        responses=problems(401, 403, 429, 503),
    )
    async def show_session(request: Request) -> Response:
        return JSONResponse(_shown(caller_of(request)).model_dump(mode="json"))

    @app.delete(
        "/v1/session",
        operation_id="sign_out",
        summary="Sign a browser out",
        description="Takes the cookie away, whatever it is worth.",
        tags=["session"],
        status_code=204,
        response_class=Response,
        responses=problems(403),
    )
    async def sign_out(request: Request) -> Response:
        if (foreign := access.refuse_foreign_page(request.scope)) is not None:
            raise _ended(foreign, metrics)
        response = Response(status_code=204)
        response.delete_cookie(
            COOKIE,
            path="/",
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )
        return response


async def identified(access: Access, request: Request) -> Caller | None:
    """Return who opens a page that anybody may open; None for somebody who is not signed in."""
    found = await access.identify(request.scope)
    return None if isinstance(found, Refusal) else found


def _ended(refusal: Refusal, metrics: AccessMetrics) -> ProblemError:
    metrics.refused(refusal)
    return ProblemError(refusal.problem, refusal.headers)


def _shown(caller: Caller) -> Session:
    is_open = caller.via == "open"
    return Session(
        name=caller.name,
        role=caller.role.label,
        via=caller.via,
        is_open=is_open,
        expires_at=None if caller.expires_at is None else moment(caller.expires_at),
        note="no keys are configured: open on loopback" if is_open else None,
    )
