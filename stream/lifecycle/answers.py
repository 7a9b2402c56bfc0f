"""Whether a change of the concept has had its run, and whether a run comes too late for one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from monitor.drift import ConceptDrift
from stream.lifecycle.run import Request, Run

if TYPE_CHECKING:
    from stream.lifecycle.lifecycle import Lifecycle


def is_unanswered(lifecycle: Lifecycle, drifts: Sequence[ConceptDrift]) -> bool:
    """Return whether a change of the concept was found that no run trains after.

    Parameters
    ----------
    lifecycle
        Takes note of changes that the run under way has answered.
    drifts
        The last ones, in order.
    """
    fresh = [drift for drift in drifts if drift.at_time * 1000 > lifecycle.answered]
    run = lifecycle.run
    if run is None or not lifecycle.is_busy or not _is_after_a_change(run):
        return bool(fresh)
    if any(drift.since_time * 1000 > run.began for drift in fresh):
        return True
    # Found again by another detector, it is the change that the run began for.
    lifecycle.answered = max([lifecycle.answered, *(drift.at_time * 1000 for drift in fresh)])
    return False


def is_overtaken(run: Run, request: Request) -> bool:
    """Return whether a run trains on what came before the change that is behind a request.

    One that has replaced another already goes on: where the concept never rests, no run would come
    to its end.
    """
    if run.replaces is not None:
        return False
    if request.trigger != "drift" or request.since is None:
        return False
    return not _is_after_a_change(run) or request.since > run.began


def _is_after_a_change(run: Run) -> bool:
    return run.requests[0].since is not None
