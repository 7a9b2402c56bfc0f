"""The check at the door of each route: who asks, whether the role is enough, and how often."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import FastAPI
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from starlette.requests import Request
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from serve.api.auth.access import Access
from serve.api.auth.caller import Caller
from serve.api.auth.limits import fields
from serve.api.auth.refusal import Refusal, too_many, too_weak
from serve.api.auth.roles import OPEN, ROLE_OF, Role
from serve.api.problems import problem_response

_REASONS = (
    "missing", "unknown", "expired", "scheme", "session", "token", "role", "cross_origin", "issuer",
    "rate", "failures",
)  # fmt: skip


class AccessMetrics:
    """What is counted at the door.

    Parameters
    ----------
    registry
        The application's own.
    access
        Whose keys are looked at.
    """

    def __init__(self, registry: CollectorRegistry, access: Access) -> None:
        self._keys = access.keys
        # Alert on unknown and token: somebody tries.
        self._refused = Counter(
            "riverrun_refused_total",
            "Requests refused for who made them, or how often",
            ["reason"],
            registry=registry,
        )
        for reason in _REASONS:  # with 0 from the start, so that a first one is seen as one
            self._refused.labels(reason)

    def refused(self, refusal: Refusal) -> None:
        """Count a refusal."""
        self._refused.labels(refusal.reason).inc()

    def families(self) -> Iterator[Metric]:
        """Return what is known of the keys; nothing where there are none."""
        if self._keys is not None:
            # 0: the file cannot be read as it is now, and the keys before it go on.
            yield GaugeMetricFamily(
                "riverrun_keys_current",
                "Whether the file of keys could be read",
                float(self._keys.trouble is None),
            )


def guard(app: FastAPI, access: Access, metrics: AccessMetrics) -> None:
    """Put a check before each route that an application has, by the table of roles.

    Call it when all routes are there. A route that the table does not know needs an operator.

    Raises
    ------
    TypeError
        Where something answers that is no single route, and would be answered unchecked.
    """
    for route in app.routes:
        if not isinstance(route, Route | Mount):
            raise TypeError(f"{route!r} cannot be guarded; add its routes one by one")
        needed = role_of(route)
        if name_of(route) == "metrics" and access.settings.open_metrics:
            needed = OPEN
        if needed is not OPEN:
            route.app = Guarded(route.app, access, needed, metrics)


def name_of(route: BaseRoute) -> str:
    """Return what the table of roles calls a route."""
    return str(getattr(route, "operation_id", None) or getattr(route, "name", ""))


def role_of(route: BaseRoute) -> Role | None:
    """Return the role that a route needs; ``OPEN`` for none."""
    return ROLE_OF.get(name_of(route), Role.OPERATOR)


class Guarded:
    """One route behind its check.

    Pure ASGI, as ``RequestScope``: on the way of every prediction.

    Parameters
    ----------
    app
        The route.
    access
        Tells who asks.
    needed
        The weakest role that may pass.
    metrics
        Where refusals are counted.
    """

    def __init__(self, app: ASGIApp, access: Access, needed: Role, metrics: AccessMetrics) -> None:
        self._app = app
        self._access = access
        self._needed = needed
        self._metrics = metrics
        self._policy = b"" if access.rate is None else access.rate.policy.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer why not."""
        caller = self._access.recognize(scope)
        if isinstance(caller, str):
            caller = await self._access.by_token(scope, caller)
        refusal = caller if isinstance(caller, Refusal) else self._refuse(scope, caller)
        if refusal is None:
            scope["state"]["caller"] = caller
            await self._app(scope, receive, send)
        else:
            await refuse(refusal, self._metrics, scope, receive, send)

    def _refuse(self, scope: Scope, caller: Caller) -> Refusal | None:
        access = self._access
        if access.rate is not None and (verdict := access.spend(caller)) is not None:
            if not verdict.allowed:
                return too_many(verdict, caller.name, access.rate.policy)
            scope["state"]["headers"] = fields(self._policy, verdict)
        return too_weak(caller, self._needed) if caller.role < self._needed else None


async def refuse(
    refusal: Refusal, metrics: AccessMetrics, scope: Scope, receive: Receive, send: Send
) -> None:
    """Answer with a refusal, and count it."""
    metrics.refused(refusal)
    request = Request(scope, receive)
    response = problem_response(refusal.problem, request, refusal.headers)
    await response(scope, receive, send)
