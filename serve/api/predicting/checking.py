"""An asked event against the schema that the served model was checkpointed with."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from monitor.anomalies import Anomaly
from serve.api.problems import FieldError, Problem, problem_of
from stream.events import Features

_LEFT_OUT = frozenset({"wrong_type", "not_finite"})
"""Kinds of errors whose value no model can use."""

_NAMED = 3


class Flag(msgspec.Struct, frozen=True, gc=False):
    """What the schema says of a feature of an event that was predicted all the same."""

    feature: str
    kind: str
    severity: str
    message: str


def refused(anomalies: Sequence[Anomaly], where: str) -> Problem | None:
    """Return why an event is refused; None where it has warnings at most.

    Parameters
    ----------
    anomalies
        Of the event.
    where
        What names the event.
    """
    errors = [anomaly for anomaly in anomalies if anomaly.severity == "error"]
    if not errors:
        return None
    fields = [
        FieldError(
            field=f"{where}.{one.feature}",
            message=f"found {one.found}, expected {one.expected}",
            kind=one.kind,
        )
        for one in errors
    ]
    more = f"; and {len(errors) - _NAMED} more" if len(errors) > _NAMED else ""
    detail = "; ".join(f"{one.field}: {one.kind}: {one.message}" for one in fields[:_NAMED])
    return problem_of(422, errors[0].kind, detail + more, errors=fields)


def flagged(anomalies: Sequence[Anomaly], features: Features) -> tuple[list[Flag], Features]:
    """Return what is to be said of an event, and the features that a model can use.

    Values of a wrong type, or that are not finite, are left out, as if they were missing.
    """
    flags, usable = [], features
    for one in anomalies:
        message = f"found {one.found}, expected {one.expected}"
        if one.severity == "error" and one.kind in _LEFT_OUT and one.feature in features:
            if usable is features:
                usable = dict(features)
            usable.pop(one.feature, None)
            message += "; predicted without it"
        flags.append(Flag(one.feature, one.kind, one.severity, message))
    return flags, usable
