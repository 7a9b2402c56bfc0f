"""How a stream is, in a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from serve.pages.render import iso

Level = Literal["good", "warn", "bad"]
_NAMED = 3


class Verdict(msgspec.Struct, frozen=True):
    """How it is.

    Parameters
    ----------
    level
        How bad.
    sentence
        For people.
    """

    level: Level
    sentence: str


def verdict(
    monitor: Mapping[str, Any] | None,
    losses: Mapping[str, float | None],
    alarms: Sequence[str],
    since: float | None,
    *,
    halted: str | None = None,
    run: Mapping[str, Any] | None = None,
) -> Verdict:
    """Return the worst that is true of a stream, and what is done about it.

    Parameters
    ----------
    monitor
        Of the newest checkpoint's status; None where nothing is watched.
    losses
        Mean losses of the model and the baselines on the same labels.
    alarms, since
        Columns in alarm in the last pane, and when that began, in seconds since the epoch.
    halted
        Why the worker stopped for good, where it did.
    run
        The retraining under way.

    Examples
    --------
    >>> about = {"state": "OK", "warm_up": None}
    >>> verdict(about, {"model": 0.15, "majority": 0.2}, [], None).sentence
    'Healthy: no column is in alarm; the model is 25% ahead of the best baseline (majority).'
    >>> verdict(about, {"model": 0.3, "majority": 0.2}, [], None).level
    'bad'
    """
    lead, behind = _lead(losses)
    if halted is not None:
        return Verdict("bad", f"The worker has stopped: {halted}")
    if monitor is None:
        ahead = f"; {lead}" if lead else ""
        return Verdict("bad" if behind else "good", f"The monitor is switched off{ahead}.")
    if monitor["state"] == "HALTED":
        return Verdict("bad", f"Learning is paused: too many events break the schema; {lead}.")
    if behind:
        return Verdict("bad", f"{lead[0].upper()}{lead[1:]}.")
    if (warm_up := monitor["warm_up"]) is not None:
        share = warm_up["events"] / warm_up["wanted"]
        return Verdict("good", f"Warming up: {share:.0%} of the events that a reference needs.")
    doing = f"; run {run['number']} ({run['version']}) is in {run['phase']}" if run else ""
    ahead = f"; {lead}" if lead else ""
    if monitor["state"] == "DRIFT" or alarms:
        return Verdict("warn", f"{_drifting(monitor, alarms, since)}{doing}{ahead}.")
    return Verdict("good", f"Healthy: no column is in alarm{doing}{ahead}.")


def _drifting(monitor: Mapping[str, Any], alarms: Sequence[str], since: float | None) -> str:
    if not alarms:
        return "The loss has changed"
    some = ", ".join(alarms[:_NAMED]) + (", ..." if len(alarms) > _NAMED else "")
    many = f"{len(alarms)} columns differ" if len(alarms) > 1 else "1 column differs"
    when = "" if since is None else f" since {iso(since)}"
    also = "The loss has changed, and " if monitor["state"] == "DRIFT" else ""
    return f"{also}{many} from the reference{when} ({some})"


def _lead(losses: Mapping[str, float | None]) -> tuple[str, bool]:
    """Return how the model does against the best baseline, and whether it is behind."""
    model = losses.get("model")
    others = {name: loss for name, loss in losses.items() if name != "model" and loss is not None}
    if model is None or not others:
        return "", False
    best = min(others, key=lambda name: others[name])
    if others[best] <= 0:
        return ("", False) if model <= 0 else (f"the model is behind a baseline ({best})", True)
    share = 1 - model / others[best]
    if share < 0:
        return f"the model is {-share:.0%} behind the best baseline ({best})", True
    return f"the model is {share:.0%} ahead of the best baseline ({best})", False
