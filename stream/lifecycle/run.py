"""One retraining run: why it began, what it trains on, how far it is, and how it ended."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Trigger = Literal[
    "schedule", "labels", "performance", "drift", "skew", "change", "person", "selection"
]
Phase = Literal["training", "racing", "shadow", "probation"]
Outcome = Literal["promoted", "kept", "rejected", "rolled_back", "failed", "cancelled", "imported"]
Goal = Literal["better", "not_worse"]

REFRESHES: frozenset[Trigger] = frozenset({"schedule", "labels"})
"""Triggers that ask for a fresh model, which need only not be worse."""


class Request(msgspec.Struct, frozen=True):
    """Somebody, or something, wants a retraining.

    Parameters
    ----------
    trigger
        What kind of reason it is.
    evidence
        The numbers behind it.
    reason
        In words.
    by
        Who asked; empty for the system itself.
    since
        Event time in milliseconds of the change to train after, where one is known.
    """

    trigger: Trigger
    evidence: dict[str, Any] = {}
    reason: str = ""
    by: str = ""
    since: int | None = None


class Run(msgspec.Struct):
    """A run that is under way.

    Parameters
    ----------
    number
        From 1, in the order in which runs began.
    version
        What its winner will be called.
    phase
        Training in another process; then racing other candidates, and in the champion's shadow;
        then, promoted, with the former champion in its own.
    goal
        What the gate asks for.
    requests
        The request that began it, and those that came while it was under way.
    began
        Event time in milliseconds.
    since
        Event time in milliseconds that the range begins at; None for the last ``window`` events.
    pipelines
        By candidate's name, what is trained.
    replaces
        The run that it replaced, because the concept had drifted again.
    """

    number: int
    version: str
    phase: Phase
    goal: Goal
    requests: list[Request]
    began: int
    since: int | None
    pipelines: dict[str, str]
    replaces: int | None = None


class RunChange(msgspec.Struct, frozen=True):
    """Something to write down about a run.

    Parameters
    ----------
    number, version
        Of the run; 0 where there was none, as for a model that was imported.
    state
        Its phase, or how it ended.
    time
        Event time in milliseconds.
    sentence
        What happened, for people.
    detail
        The numbers.
    """

    number: int
    version: str
    state: Phase | Outcome
    time: int
    sentence: str
    detail: dict[str, Any]


class KeptModel(msgspec.Struct, frozen=True):
    """A model as it was when it began to serve, when it left, or came in; never overwritten.

    Parameters
    ----------
    version
        Its name.
    moment
        When it was kept.
    data
        Its pickle; the store seals it.
    reference
        What it was trained on, as counts, where that is not in the store already.
    """

    version: str
    moment: Literal["promoted", "left", "imported"]
    data: bytes
    reference: bytes | None = None
