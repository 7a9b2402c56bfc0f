"""What the lifecycle shows of itself in the status: bounded, and without the models."""

from __future__ import annotations

from typing import Any

from stream.lifecycle.lifecycle import Lifecycle

_REASON = 500


def lifecycle_summary(lifecycle: Lifecycle) -> dict[str, Any]:
    """Return the run that is under way, with the evidence so far, and how often things happened.

    Parameters
    ----------
    lifecycle
        Of a stream.

    Returns
    -------
    dict
        ``run``: None, or number, version, phase, goal, trigger, reason, by, the event time in
        milliseconds of its beginning, labels until a decision, and by ``shadows`` the numbers of
        each one's gate. ``changes``: by state, how often runs have come to it.
    """
    run, rules = lifecycle.run, lifecycle.rules
    shown: dict[str, Any] | None = None
    if run is not None:
        first = run.requests[0]
        wanted = lifecycle.config.probation if run.phase == "probation" else rules.min_labels
        shown = {
            "number": run.number,
            "version": run.version,
            "phase": run.phase,
            "goal": run.goal,
            "trigger": first.trigger,
            "reason": first.reason[:_REASON],
            "by": first.by,
            "began": run.began,
            "labels_wanted": lifecycle.config.rung if run.phase == "racing" else wanted,
            "labels_at_most": wanted if run.phase == "probation" else rules.max_labels,
            "level": rules.level,
            "shadows": [
                {"name": shadow.name, "role": shadow.role, "version": shadow.version}
                | {"failed": shadow.failed, "gate": shadow.gate.numbers()}
                for shadow in lifecycle.shadows
            ],
        }
    return {"run": shown, "runs": lifecycle.runs, "changes": dict(lifecycle.tally)}
