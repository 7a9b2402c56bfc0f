"""Who asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from starlette.requests import HTTPConnection

from serve.api.auth.roles import Role
from stream.storage.audit import Actor

Via = Literal["key", "session", "oidc", "open"]

WHO = "X-Requested-By"
_WHO_MAX = 100


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever made a request, as far as that is certain.

    Parameters
    ----------
    name
        Of the key, or the token's subject; ``anybody`` where no keys are configured.
    role
        What it may do.
    via
        How it showed who it is: a key, a browser's session, a token, or not at all.
    bucket
        What its requests are counted under; a session counts as its key.
    expires_at
        When that ends, in seconds since the epoch; None for never.
    """

    name: str
    role: Role
    via: Via
    bucket: str
    expires_at: float | None = None


ANYBODY = Caller("anybody", Role.OPERATOR, "open", "anybody")
"""The caller where no keys are configured: the API listens on loopback alone."""


def caller_of(request: HTTPConnection) -> Caller:
    """Return who makes a request that was let through; ``ANYBODY`` where nobody checks."""
    found: Caller = getattr(request.state, "caller", ANYBODY)
    return found


def said_name(request: HTTPConnection) -> str:
    """Return who a request says it is for, in the header X-Requested-By; empty where it does not.

    Nobody has checked it.
    """
    said = request.headers.get(WHO, "")
    return "".join(c for c in said if c.isprintable()).strip()[:_WHO_MAX]


def who(request: HTTPConnection) -> str:
    """Return who is to be written down for a request.

    The caller's name where it is known, with the person it says it acts for; the header alone
    counts only where no keys are configured.
    """
    caller, said = caller_of(request), said_name(request)
    if caller.via == "open":
        return said or "api"
    # A name holds no space, so that what is said can never pass for the caller itself.
    return f"{said} via {caller.name}" if said else caller.name


def actor_of(request: HTTPConnection) -> Actor:
    """Return who is to be written down for a control action, and from where."""
    origin = "" if request.client is None else request.client.host
    return Actor(who(request), caller_of(request).via, origin)


def giver_of(request: HTTPConnection) -> str | None:
    """Return who gives labels; None where nobody is known and nobody is named."""
    if caller_of(request).via == "open" and not said_name(request):
        return None
    return who(request)


def is_by_person(request: HTTPConnection) -> bool:
    """Return whether a person acts, or a program for one: not a program by itself."""
    return caller_of(request).via in ("session", "oidc") or bool(said_name(request))
