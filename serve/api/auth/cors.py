"""Pages of other sites: off, unless the configuration names their origins."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

_METHODS = ("GET", "POST", "DELETE")
_SENT = ("Authorization", "Content-Type", "X-API-Key", "X-Request-ID", "X-Requested-By")
_READ = ("Location", "RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-ID")


def allow_origins(app: FastAPI, origins: Sequence[str]) -> None:
    """Let pages of some origins call an application with a key; never with the session's cookie."""
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(origins),
            allow_methods=_METHODS,
            allow_headers=_SENT,
            expose_headers=_READ,
            allow_credentials=False,
        )
