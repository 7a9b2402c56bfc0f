"""The lifecycle on the line: what a closed pane asks for, and what a decision does."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from monitor.reference import Reference
from monitor.segments import segments_of
from monitor.trigger import State
from stream.frozen import freeze
from stream.learner import Learner
from stream.lifecycle.answers import is_unanswered
from stream.lifecycle.decide import decide
from stream.lifecycle.gate import log_mean
from stream.lifecycle.lifecycle import Lifecycle
from stream.lifecycle.run import KeptModel, Outcome, Request, RunChange
from stream.lifecycle.scale import loss_scale
from stream.lifecycle.schedule import next_due
from stream.lifecycle.shadow import Adopted, Decision, Shadow
from stream.watching.findings import Finding
from stream.watching.pane_row import PaneRow
from stream.watching.watch import Watch

if TYPE_CHECKING:
    from stream.line import Line

_SEGMENTS_WRITTEN = 50


def close_segment(line: Line, findings: Sequence[Finding]) -> None:
    """Weigh the labels of a segment, and decide where a pane has closed."""
    lifecycle, watch = line.lifecycle, line.watch
    if lifecycle is None or watch is None:
        return
    if lifecycle.noted:
        lifecycle.weigh(_segments(lifecycle, watch))
    if not watch.decides:
        return
    for finding in findings:
        if finding.pane is not None:
            _on_pane(line, lifecycle, watch, finding.pane)
        if finding.kind == "reference" and len(line.pipelines) > 1:
            request(
                line, Request("selection", {"candidates": len(line.pipelines)}, "which is best")
            )


def request(line: Line, wanted: Request) -> bool:
    """Ask for a run from outside; return whether one began."""
    lifecycle, watch = line.lifecycle, line.watch
    if lifecycle is None or watch is None or not watch.decides:
        return False
    began = lifecycle.request(wanted, _now(line), _pipelines(line, lifecycle, wanted))
    if began:
        lifecycle.labels_at = line.counts.matched
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
    detail: Mapping[str, Any],
) -> None:
    """Take trained candidates into the shadow of a line whose records they have all seen."""
    if line.lifecycle is not None:
        scale = loss_scale(line.config.model.task, line.scores.recent())
        known = {**detail, "at": place_of(line)}
        line.lifecycle.adopt(candidates, reference, _now(line), scale=scale, detail=known)


def put_in_place(
    line: Line,
    version: str,
    learner: Learner,
    by: str,
    reason: str,
    *,
    reference: Reference | None = None,
    pipeline: str = "",
) -> None:
    """Let a version serve because a person wants it; the former champion may come back.

    Parameters
    ----------
    line
        Its lifecycle must not be None.
    version, learner
        What will serve.
    by, reason
        Who wants it, and why.
    reference
        What the version was trained on; one whose features the events no longer have is left
        out, and None keeps what events are compared with now.
    pipeline
        As text, for people.
    """
    lifecycle, watch = line.lifecycle, line.watch
    if lifecycle is None or watch is None:
        return
    now, busy = _now(line), lifecycle.is_busy
    scale = loss_scale(line.config.model.task, line.scores.recent())
    decision = lifecycle.overrule(version, learner, by, reason, now, pipeline=pipeline, scale=scale)
    if reference is not None and _fits(reference, watch):
        decision = decision._replace(reference=reference)
    _carry_out(line, lifecycle, watch, decision, now)
    if busy:
        _ended(watch, now)


def take_in(line: Line, model: bytes, reference: bytes | None, detail: Mapping[str, Any]) -> str:
    """Keep a model that was made elsewhere, under a version of its own; it serves nobody yet.

    Parameters
    ----------
    line
        Its lifecycle must not be None.
    model, reference
        As they are kept.
    detail
        Where it comes from: ``by``, ``reason``, and what is known of it.

    Returns
    -------
    str
        Its version.
    """
    lifecycle = line.lifecycle
    if lifecycle is None:
        raise ValueError("this line keeps no models")
    lifecycle.versions += 1
    version = f"v{lifecycle.versions}"
    lifecycle.kept.append(KeptModel(version, "imported", model, reference))
    sentence = f"{detail.get('by') or 'Somebody'} imported {version}: {detail.get('reason', '')}"
    change = RunChange(0, version, "imported", _now(line), sentence, dict(detail))
    lifecycle.take_down(change)
    return version


def place_of(line: Line) -> dict[str, Any]:
    """Return where a line stands, so that a model can be made again from the log."""
    return {
        "offsets": {str(place): offset for place, offset in line.offsets.items()},
        "events": line.counts.events,
        "learned": line.counts.learned,
    }


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
    for wanted in _wanted(line, lifecycle, watch, pane):
        if lifecycle.request(wanted, now, _pipelines(line, lifecycle, wanted)):
            lifecycle.labels_at = line.counts.matched
            _started(watch, now)


def _carry_out(
    line: Line, lifecycle: Lifecycle, watch: Watch, decision: Decision, now: int
) -> None:
    """Let a shadow take the champion's place; the reference moves with it."""
    former, reference = line.learner, watch.monitor.reference
    new = decision.shadow
    _describe(line, lifecycle, new)
    blob = pickle.dumps(new.learner, 5)
    lifecycle.kept += [
        KeptModel(line.version, "left", pickle.dumps(former, 5)),
        KeptModel(new.version, "promoted", blob),
    ]
    line.learner, line.version = new.learner, new.version
    line.scores.promoted(now, line.arrivals)
    freeze(line, blob)
    watch.version = line.version
    line.promotions += 1
    if new.role == "challenger":
        lifecycle.promoted(former, reference, now)
    if (moved := decision.reference or reference) is not None:
        watch.promote(moved)


def _describe(line: Line, lifecycle: Lifecycle, new: Shadow) -> None:
    """Add to a decision what a person will want to know of it, and where it fell."""
    change, gate = lifecycle.changes[-1], new.gate
    former = lifecycle.pipeline if new.role == "challenger" else None
    segments = sorted(gate.segments.items(), key=lambda item: -item[1][0])[:_SEGMENTS_WRITTEN]
    known = {
        "now": new.version,
        "candidate": new.name,
        "pipeline": new.description,
        "former": {"version": line.version, "pipeline": former},
        "champion_scores": line.scores.rolling()["model"],
        "segments": {
            name: {"labels": labels, "log_evidence_worse": round(log_mean(stakes), 4)}
            for name, (labels, stakes) in segments
        },
        "at": place_of(line),
    }
    lifecycle.changes[-1] = msgspec.structs.replace(change, detail=change.detail | known)


def _fits(reference: Reference, watch: Watch) -> bool:
    """Return whether the events of today have what a reference counts."""
    schema = watch.monitor.schema
    wanted = {column.name for column in reference.layout.columns if column.role == "feature"}
    return schema is not None and wanted == set(schema.names)


def _wanted(line: Line, lifecycle: Lifecycle, watch: Watch, pane: PaneRow) -> Iterator[Request]:
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
    labels = line.counts.matched - lifecycle.labels_at
    if config.labels is not None and labels >= config.labels:
        yield Request("labels", {"labels": labels}, f"{labels:,} labels since the last run")


def _pipelines(line: Line, lifecycle: Lifecycle, wanted: Request) -> dict[str, str]:
    """Return what to train: the configured candidates, and what serves where that is another."""
    if wanted.trigger == "change" or lifecycle.pipeline in line.pipelines.values():
        return line.pipelines
    return (
        line.pipelines | {"champion": lifecycle.pipeline} if lifecycle.pipeline else line.pipelines
    )


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
