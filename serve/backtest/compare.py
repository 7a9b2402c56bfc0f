"""Several policies on one history, and what is asked of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import get_args

from serve.backtest.history import History
from stream.backtest.policies import COMPARED, POLICIES, Policy
from stream.backtest.replay import Replay
from stream.backtest.result import PolicyResult
from stream.clock import Clock
from stream.config import Config
from stream.errors import InputError

LOSS, WASTED, GAIN = "loss", "wasted", "gain"
_FEWEST_PANES = 4


@dataclass(frozen=True, slots=True)
class Demand:
    """A metric that must not be worse than a value.

    Parameters
    ----------
    metric
        A configured metric; or ``loss``, ``wasted`` (retrains without a gain), ``gain`` (share of
        the loss of ``never`` that is saved).
    value
        The worst that is good enough.
    policy
        The one it is asked of; None for each.
    """

    metric: str
    value: float
    policy: Policy | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A demand on one policy, and whether it holds."""

    demand: Demand
    policy: Policy
    found: float | None
    holds: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """What several policies did on one history.

    Parameters
    ----------
    history
        What was replayed.
    task, seed
        Of the model.
    results
        In the order in which they were asked for.
    changes
        Events at which something is known to have changed.
    answers
        To the demands.
    notes
        What a reader must know.
    """

    history: History
    task: str
    seed: int
    results: list[PolicyResult]
    changes: list[int]
    answers: list[Answer]
    notes: list[str]

    def gain(self, result: PolicyResult) -> float | None:
        """Return the share of the loss of ``never`` that a policy saves; None without that."""
        return gain(self.results, result)


def parse_policies(text: str | None) -> list[Policy]:
    """Read a list of policies.

    Raises
    ------
    InputError

    Examples
    --------
    >>> parse_policies("never, drift")
    ['never', 'drift']
    """
    if text is None:
        return list(COMPARED)
    names = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not names or (unknown := [name for name in names if name not in POLICIES]):
        found = ", ".join(map(repr, unknown)) if names else repr(text)
        raise InputError(f"--policy: found {found}; choose from {', '.join(POLICIES)}")
    return [policy for name in names for policy in POLICIES if policy == name]


def parse_demand(text: str, policies: Sequence[Policy], metrics: Sequence[str]) -> Demand:
    """Read ``METRIC=VALUE`` or ``POLICY.METRIC=VALUE``.

    Raises
    ------
    InputError

    Examples
    --------
    >>> parse_demand("drift.ROCAUC=0.7", ["drift"], ["ROCAUC"])
    Demand(metric='ROCAUC', value=0.7, policy='drift')
    """
    what, _, value = text.partition("=")
    policy, _, metric = what.strip().rpartition(".")
    known = [*metrics, LOSS, WASTED, GAIN]
    try:
        number = float(value)
    except ValueError:
        raise InputError(f"--fail-under: found {text!r}; give METRIC=VALUE") from None
    if metric not in known:
        raise InputError(f"--fail-under: found {metric!r}; choose from {', '.join(known)}")
    if policy and policy not in policies:
        raise InputError(
            f"--fail-under: found {policy!r}; of the policies that are replayed, choose from "
            f"{', '.join(policies)}"
        )
    if metric == GAIN and "never" not in policies:
        raise InputError("--fail-under: gain is over the policy never, which is not replayed")
    return Demand(metric, number, next((p for p in get_args(Policy) if p == policy), None))


def check_changes(changes: Sequence[int], events: int) -> list[int]:
    """Return known changes in order.

    Raises
    ------
    InputError
        One lies outside of the history.
    """
    outside = [change for change in changes if not 1 < change <= events]
    if outside:
        raise InputError(
            f"--change: found {', '.join(map(str, outside))}; give rows from 2 to {events:,}"
        )
    return sorted(set(changes))


def compare(
    config: Config,
    history: History,
    policies: Sequence[Policy],
    clock: Clock,
    *,
    where: str,
    every: int | None = None,
    changes: Sequence[int] = (),
    demands: Sequence[Demand] = (),
    show: Callable[[float, str], None] = lambda _done, _text: None,
) -> Comparison:
    """Replay a history under several policies, one after the other.

    Parameters
    ----------
    config, where
        The configuration, and its name.
    history
        What is replayed.
    policies
        Which.
    clock
        For the costs.
    every
        Labels between two runs of ``periodic``.
    changes
        Events at which something is known to have changed.
    demands
        What must hold.
    show
        Told how many records were handled, over all policies, and which policy it is at.

    Raises
    ------
    InputError, ConfigError, HaltedError
    """
    known = check_changes(changes, history.events)
    results: list[PolicyResult] = []
    size = len(history.records)
    for number, policy in enumerate(policies):

        def told(done: int, before: int = number * size, policy: Policy = policy) -> None:
            show(before + done, policy)

        replay = Replay(config, history.records, policy, clock, every=every, where=where)
        results.append(replay.run(told))
    answers = [
        answer(demand, result, results)
        for demand in demands
        for result in results
        if demand.policy in (None, result.policy)
    ]
    notes = [*history.notes, *_warnings(config, results)]
    model = config.model
    return Comparison(history, model.task, model.seed, results, known, answers, notes)


def answer(demand: Demand, result: PolicyResult, results: Sequence[PolicyResult]) -> Answer:
    """Return whether a demand holds; what is not defined does not hold."""
    if demand.metric == LOSS:
        found, more = result.loss, False
    elif demand.metric == WASTED:
        found, more = float(result.count("wasted")), False
    elif demand.metric == GAIN:
        found, more = gain(results, result), True
    else:
        found, more = result.scores.get(demand.metric), result.better[demand.metric]
    holds = found is not None and (found >= demand.value if more else found <= demand.value)
    return Answer(demand, result.policy, found, holds)


def gain(results: Sequence[PolicyResult], result: PolicyResult) -> float | None:
    """Return the share of the loss of ``never`` that a policy saves."""
    base = next((each.loss for each in results if each.policy == "never"), None)
    return None if not base or result.loss is None else 1.0 - result.loss / base


def _warnings(config: Config, results: Sequence[PolicyResult]) -> list[str]:
    first, notes = results[0], []
    warm = config.monitor.warmup_events
    if not config.monitor.enabled:
        notes.append("the monitor is off (monitor.enabled): nothing is ever retrained")
    elif first.panes < _FEWEST_PANES:
        notes.append(
            f"only {first.panes} panes closed: the monitor warms up on {warm:,} of the "
            f"{first.events:,} events, and no drift can be found before; make monitor.warmup_events"
            " and monitor.pane_events smaller"
        )
    if first.labelled < first.events:
        notes.append(f"{first.labelled:,} of {first.events:,} events have a label that came")
    if first.dead_lettered:
        notes.append(f"{first.dead_lettered:,} events could not be used (dead letters)")
    if first.unlearned:
        notes.append(
            f"{first.unlearned:,} events were not learned from: learning was paused (schema)"
        )
    return notes
