"""Why a caller is not let through, as a problem and with the headers that belong to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil

from serve.api.auth.caller import Caller
from serve.api.auth.limits import Verdict
from serve.api.auth.roles import Role
from serve.api.problems import Problem, problem_of

_REALM = 'Bearer realm="riverrun"'


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer instead of the one that was asked for.

    Parameters
    ----------
    problem
        What is wrong, and what to do.
    reason
        A word to count by.
    headers
        Sent with it.
    is_failed_try
        Whether it was a try with wrong credentials, which are limited by address.
    """

    problem: Problem
    reason: str
    headers: Mapping[str, str] = field(default_factory=dict)
    is_failed_try: bool = False


def nothing_brought() -> Refusal:
    """Return the refusal of a request without credentials."""
    detail = (
        "this needs a key: send 'Authorization: Bearer KEY' or 'X-API-Key: KEY', or sign in with "
        "POST /v1/session. 'riverrun keys add' makes keys"
    )
    problem = problem_of(401, "credentials_missing", detail)
    return Refusal(problem, "missing", {"WWW-Authenticate": _REALM})


def not_accepted(reason: str, detail: str) -> Refusal:
    """Return the refusal of credentials that are wrong, or over."""
    kind = "credentials_expired" if reason == "expired" else "credentials_invalid"
    said = detail.replace('"', "'").replace("\\", "")
    challenge = f'{_REALM}, error="invalid_token", error_description="{said}"'
    if not challenge.isascii():
        challenge = f'{_REALM}, error="invalid_token"'
    problem = problem_of(401, kind, detail)
    return Refusal(problem, reason, {"WWW-Authenticate": challenge}, is_failed_try=True)


def too_weak(caller: Caller, needed: Role) -> Refusal:
    """Return the refusal of a caller whose role is not enough."""
    detail = f"this needs the role {needed.label!r}; {caller.name!r} is {caller.role.label!r}"
    challenge = f'{_REALM}, error="insufficient_scope", scope="{needed.label}"'
    problem = problem_of(403, "role_missing", detail)
    return Refusal(problem, "role", {"WWW-Authenticate": challenge})


def without_role(name: str, claim: str) -> Refusal:
    """Return the refusal of a token that is right and gives no role."""
    detail = (
        f"the token of {name!r} is right, and nothing in its claim {claim!r} gives a role here; "
        "see [oidc] of the configuration"
    )
    return Refusal(problem_of(403, "role_missing", detail), "role")


def from_elsewhere(detail: str) -> Refusal:
    """Return the refusal of what a page of another site wants."""
    return Refusal(problem_of(403, "cross_origin", detail), "cross_origin")


def issuer_away(detail: str) -> Refusal:
    """Return the refusal of a token that cannot be checked now."""
    problem = problem_of(503, "issuer_unreachable", detail)
    return Refusal(problem, "issuer", {"Retry-After": "5"})


def too_many(verdict: Verdict, name: str, policy: str) -> Refusal:
    """Return the refusal of a caller that asks too often."""
    wait = max(1, ceil(verdict.wait))
    detail = f"{name!r} asks more often than api.rate allows; try again in {wait} s"
    headers = {
        "Retry-After": str(wait),
        "RateLimit-Policy": policy,
        "RateLimit": f'"key";r=0;t={ceil(verdict.full_in)}',
    }
    return Refusal(problem_of(429, "rate_limited", detail), "rate", headers)


def too_many_failures(verdict: Verdict) -> Refusal:
    """Return the refusal of an address that has tried too many wrong credentials."""
    wait = max(1, ceil(verdict.wait))
    detail = f"too many wrong keys or tokens from this address; try again in {wait} s"
    problem = problem_of(429, "too_many_failures", detail)
    return Refusal(problem, "failures", {"Retry-After": str(wait)})
