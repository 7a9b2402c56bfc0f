"""The lifecycle on the line: what a closed pane asks for, and what a decision does."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from monitor.reference import Reference
from monitor.segments import segments_of
from monitor.trigger import State
from stream.learner import Learner
from stream.lifecycle.answers import is_unanswered
from stream.lifecycle.decide import decide
from stream.lifecycle.lifecycle import Adopted, Decision, Lifecycle
from stream.lifecycle.run import KeptModel, Outcome, Request
from stream.lifecycle.scale import loss_scale
from stream.lifecycle.schedule import next_due
from stream.watching.findings import Finding
from stream.watching.pane_row import PaneRow
from stream.watching.watch import Watch

if TYPE_CHECKING:
    from stream.line import Line


def close_segment(line: Line, findings: Sequence[Finding]) -> None:
    """Weigh the labels of a segment, and decide where a pane has closed."""
    lifecycle, watch = line.lifecycle, line.watch
    if lifecycle is None or watch is None:
        return
    if lifecycle.noted:
        lifecycle.weigh(_segments(lifecycle, watch))
    for finding in findings:
        if finding.pane is not None:
            _on_pane(line, lifecycle, watch, finding.pane)


def request(line: Line, wanted: Request) -> bool:
    """Ask for a run from outside; return whether one began."""
    lifecycle, watch = line.lifecycle, line.watch
    if lifecycle is None or watch is None:
        return False
    began = lifecycle.request(wanted, _now(line), line.pipelines)
    if began:
        _started(watch, _now(line))
    return began


def by_schedule(line: Line, schedule: str | None, now: float) -> bool:
    """Begin a run where the schedule is due; return whether anything was written down.

    Parameters
    ----------
    line
        Whose lifecycle knows when it was last due; the first call only sets that.
    schedule
        As ``next_due`` reads it.
    now
        Seconds since the epoch.
    """
    lifecycle = line.lifecycle
    if schedule is None or lifecycle is None:
        return False
    last = lifecycle.scheduled_at
    if last is not None and now < next_due(schedule, last):
        return False
    lifecycle.scheduled_at = now
    if last is None:
        return True
    return request(line, Request("schedule", {"schedule": schedule}, "it is due"))


def adopt(
    line: Line,
    candidates: Sequence[Adopted],
    reference: Reference | None,
    detail: dict[str, Any],
) -> None:
    """Take trained candidates into the shadow of a line whose records they have all seen."""
    if line.lifecycle is not None:
        scale = loss_scale(line.config.model.task, line.scores.recent())
        line.lifecycle.adopt(candidates, reference, _now(line), scale=scale, detail=detail)


def put_in_place(line: Line, version: str, learner: Learner, by: str, reason: str) -> None:
    """Let a version serve because a person wants it; the former champion may come back."""
    lifecycle, watch = line.lifecycle, line.watch
    if lifecycle is None or watch is None:
        return
    now, busy = _now(line), lifecycle.is_busy
    decision = lifecycle.overrule(version, learner, by, reason, now)
    _carry_out(line, lifecycle, watch, decision, now)
    if busy:
        _ended(watch, now)


def fail(line: Line, reason: str, outcome: Outcome = "failed") -> None:
    """End the run under way, whose training failed or was called off."""
    lifecycle, watch = line.lifecycle, line.watch
    if lifecycle is not None and watch is not None and lifecycle.is_busy:
        lifecycle.fail(reason, _now(line), outcome)
        _ended(watch, _now(line))


def _on_pane(line: Line, lifecycle: Lifecycle, watch: Watch, pane: PaneRow) -> None:
    now = round(pane.last * 1000)
    busy = lifecycle.is_busy
    decision = decide(lifecycle, now)
    if decision is not None:
        _carry_out(line, lifecycle, watch, decision, now)
    if busy and not lifecycle.is_busy:
        _ended(watch, now)
    for wanted in _wanted(lifecycle, watch, pane):
        if lifecycle.request(wanted, now, line.pipelines):
            _started(watch, now)


def _carry_out(
    line: Line, lifecycle: Lifecycle, watch: Watch, decision: Decision, now: int
) -> None:
    """Let a shadow take the champion's place; the reference moves with it."""
    former, reference = line.learner, watch.monitor.reference
    new = decision.shadow
    lifecycle.kept += [
        KeptModel(line.version, "left", pickle.dumps(former, 5)),
        KeptModel(new.version, "promoted", pickle.dumps(new.learner, 5)),
    ]
    line.learner, line.version = new.learner, new.version
    watch.version = line.version
    line.promotions += 1
    if new.role == "challenger":
        lifecycle.promoted(former, reference, now)
    if (moved := decision.reference or reference) is not None:
        watch.promote(moved)


def _wanted(lifecycle: Lifecycle, watch: Watch, pane: PaneRow) -> Iterator[Request]:
    """Give what a closed pane asks for, as far as it is switched on."""
    config, actions = lifecycle.config, pane.summary.actions
    signals: dict[str, Any] = dict(pane.summary.signals)
    evidence = {"pane": pane.index, "signals": signals, "alarms": pane.summary.alarms[:10]}
    times = [drift.since_time for drift in watch.recent_drifts]
    since = round(max(times) * 1000) if times else None
    # The trigger says nothing while a run is under way, and nothing in its cooldown.
    waits = watch.monitor.trigger.state in (State.COOLDOWN, State.HALTED)
    missed = not waits and is_unanswered(lifecycle, watch.recent_drifts)
    if config.drift and (missed or "retrain" in actions):
        found = evidence | {"drifts": len(times)}
        yield Request("drift", found, f"drift in pane {pane.index}", since=since)
    elif "challenge" in actions and config.skew:
        names = ", ".join(name for _, name in pane.summary.alarms[:3])
        yield Request("skew", evidence, f"values have shifted in pane {pane.index}: {names}")
    if config.performance and (drop := watch.leads.drop(config.performance_drop)) is not None:
        # Trained on what came before a known change, too, it would be the champion over again.
        yield Request("performance", drop, str(drop["sentence"]), since=since)
    if config.labels is not None and lifecycle.labels >= config.labels:
        reason = f"{lifecycle.labels:,} labels since the last run"
        yield Request("labels", {"labels": lifecycle.labels}, reason)


def _segments(lifecycle: Lifecycle, watch: Watch) -> dict[str, list[str]]:
    schema, recorder = watch.monitor.schema, watch.monitor.recorder
    if schema is None or recorder is None:
        return {}
    names = watch.performances.segment_names(recorder.layout)
    return segments_of(lifecycle.noted, names, schema, recorder.layout)


def _now(line: Line) -> int:
    return line.watermark or 0


def _started(watch: Watch, now: int) -> None:
    trigger = watch.monitor.trigger
    if trigger.state is not State.RETRAINING:
        trigger.started(now / 1000)


def _ended(watch: Watch, now: int) -> None:
    watch.leads.begin_anew()
    watch.monitor.trigger.ended(now / 1000)
