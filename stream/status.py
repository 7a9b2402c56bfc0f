"""The status of a line as plain data: what ``riverrun status --json`` and the API show."""

from __future__ import annotations

from typing import Any

from stream.digest import state_digest
from stream.keys.on_line import keys_status
from stream.lifecycle.summary import lifecycle_summary
from stream.line import Line
from stream.watching.summary import summary_of


def status_of(
    line: Line, rolling: dict[str, Any] | None, watch: bytes | None = None
) -> dict[str, Any]:
    """Return counts, labels, scores, offsets and the state digest of a line.

    Parameters
    ----------
    line
        The line.
    rolling
        The rolling scores, computed by the caller as often as it wants to pay for them.
    watch
        The monitor's state as the snapshot holds it, where the caller has taken one.
    """
    counts, scores = line.counts, line.scores.summary()
    return {
        "stream": line.config.stream.name,
        "task": line.config.model.task,
        "model_version": line.version,
        "counts": {
            "read": counts.events + counts.label_messages,
            "events": counts.events,
            "label_messages": counts.label_messages,
            "predicted": counts.predicted,
            "served": counts.served,
            "learned": counts.learned,
            "unlearned": counts.unlearned,
            "repeated": counts.repeated,
            "dead_lettered": counts.dead_lettered,
            "pending": len(line.pending),
        },
        "labels": {
            "matched": counts.matched,
            "early": counts.early,
            "early_waiting": len(line.early),
            "orphaned": counts.orphaned + len(line.early),
            "late": counts.late,
            "duplicate": counts.duplicate,
            "conflicting": counts.conflicting,
            "expired": counts.expired,
            "evicted": counts.evicted,
        },
        "dead_letter_reasons": dict(line.reasons),
        "scores": scores,
        "scored": line.scores.scored,
        "unscored": line.scores.unscored,
        "rolling": {"window": line.config.model.window, "scores": rolling},
        "since_promotion": _since_promotion(line),
        "frozen": _frozen(line),
        "monitor": None if line.watch is None else summary_of(line.watch),
        "retrain": None if line.lifecycle is None else lifecycle_summary(line.lifecycle),
        "keys": keys_status(line.learner),
        "offsets": {str(place): offset for place, offset in line.offsets.items()},
        "learned_offset": line.learned_offset,
        "watermark": line.watermark,
        "state_digest": state_digest(line, scores, watch),
    }


def _since_promotion(line: Line) -> dict[str, Any]:
    """Return the scores of predictions since the promotion; without one, since the beginning."""
    scored, scores = line.scores.since()
    time = line.scores.promoted_time
    return {"version": line.version, "time": time, "scored": scored, "scores": scores}


def _frozen(line: Line) -> dict[str, Any] | None:
    """Return what learning on is worth: the model beside itself as it was when it was promoted."""
    frozen = line.frozen
    if frozen is None:
        return None
    scored, scores = line.scores.beside_frozen()
    last, rolling = line.scores.rolling_beside_frozen()
    return {
        **frozen.known(),
        "every": frozen.every,
        "scored": scored,
        "scores": scores,
        "rolling": {"scored": last, "scores": rolling},
        "mean_loss": None if line.watch is None else line.watch.performances.beside.means(),
    }
