"""What a comparison comes to, in sentences and figures that the table and the page share."""

from __future__ import annotations

from serve.backtest.compare import Answer, Comparison
from stream.backtest.result import ChangeAnswer, PolicyResult

_SHOWN = 6
_ABOUT_EQUAL = 0.01


def headline(found: Comparison) -> str:
    """Say which policy had the smallest loss, and whether that is more than a little."""
    known = [(result.loss, result.policy) for result in found.results if result.loss is not None]
    if not known:
        return "No label met a prediction: there is nothing to compare."
    least, best = min(known)
    near = [
        policy for loss, policy in known if policy != best and loss <= least * (1 + _ABOUT_EQUAL)
    ]
    others = f"; within 1 % of it: {', '.join(near)}" if near else ""
    return f"Smallest loss: {best}, {least:.4f}{others}."


def figure(value: float | None, digits: int = 4) -> str:
    """Return a figure, or a dash where there is none."""
    return "-" if value is None else f"{value:,.{digits}f}"


def percent(value: float | None) -> str:
    """Return a share with its sign."""
    return "-" if value is None else f"{round(100 * value, 1) + 0.0:+.1f} %"


def count(value: int | None) -> str:
    """Return a number of events, or that it never came to it."""
    return "never" if value is None else f"{value:,}"


def after(answers: list[ChangeAnswer], what: str) -> str:
    """Return how long it took after each change, such as ``1,500, never``."""
    values: list[int | None] = [getattr(answer, what) for answer in answers]
    more = ", ..." if len(values) > _SHOWN else ""
    return ", ".join(map(count, values[:_SHOWN])) + more


def unfinished(result: PolicyResult) -> int:
    """Count runs that the end of the history cut off before their decision."""
    return sum(run.outcome in ("training", "racing", "shadow") for run in result.runs)


def suspicions(found: Comparison) -> str | None:
    """Say where the monitor found changes, where nobody named any."""
    if found.changes:
        return None
    first = found.results[0]
    if not first.drifts:
        return "The monitor found no change of the loss. Name known changes with --change."
    drifts = first.drifts[:_SHOWN]
    shown = ", ".join(f"{at:,} ({by})" for at, by in drifts)
    more = f", and {len(first.drifts) - len(drifts)} more" if len(first.drifts) > _SHOWN else ""
    return (
        f"Under {first.policy} the monitor found that the loss had changed at event {shown}{more}. "
        "Whether it did is not known: name known changes with --change to see the delay after them."
    )


def demand_line(answer: Answer) -> str:
    """Say whether a demand holds."""
    verdict = "holds" if answer.holds else "FAILS"
    demand = answer.demand
    return f"{verdict}: {answer.policy}.{demand.metric} = {figure(answer.found)}, {demand.value:g}"
