"""How a stored prediction is shown: the entry of a list, and the details with its event."""

from __future__ import annotations

from typing import Any

from serve.api.monitoring.queries import moment
from serve.api.recent.kept import Kept, KeptView, Verdict, verdicts
from serve.api.recent.shapes import EventPlace, LabelState, PredictionDetails, PredictionEntry
from stream.learner import decide, probabilities
from stream.recent import MAX_VALUE_BYTES, Known
from stream.sections import Task
from stream.storage.precomputed import StoredScore

_NONE = Verdict(None, None)


def kept_fields(task: Task, view: KeptView, one: Known) -> dict[str, Any]:
    """Return the fields of a kept prediction, by their names in ``PredictionEntry``."""
    said, verdict = one.said, view.verdicts.get(one.number, _NONE)
    state: LabelState = "waiting"
    if one.is_settled:
        state = "given_up" if one.label is None else "labelled"
    return {
        "id": said.id,
        "number": one.number,
        "time": moment(said.time / 1000),
        "predicted_at": moment(said.said_at / 1000),
        "prediction": decide(task, said.prediction),
        "probabilities": probabilities(task, said.prediction),
        "model_version": said.model_version,
        "learned_offset": said.learned_offset,
        "source": said.source,
        "latency_ms": said.latency_ms,
        "label_state": state,
        "label": one.label,
        "labelled_at": None
        if one.label is None or one.settled_at is None
        else moment(one.settled_at),
        "correct": verdict.correct,
        "loss": verdict.loss,
    }


def scored_fields(task: Task, stored: StoredScore) -> dict[str, Any]:
    """Return the fields of a prediction that was made ahead of time."""
    said, verdict = stored.scored, _NONE
    if said.label is not None:
        verdict = verdicts(task, [said.label], [said.prediction])[0]
    return {
        "id": said.id,
        "number": stored.number,
        "time": None if said.time is None else moment(said.time / 1000),
        "predicted_at": moment(said.said_at / 1000),
        "prediction": decide(task, said.prediction),
        "probabilities": probabilities(task, said.prediction),
        "model_version": said.model_version,
        "learned_offset": said.learned_offset,
        "source": "precomputed",
        "latency_ms": None,
        "label_state": "none" if said.label is None else "labelled",
        "label": said.label,
        "labelled_at": None,
        "correct": verdict.correct,
        "loss": verdict.loss,
    }


def kept_entry(task: Task, view: KeptView, one: Known) -> PredictionEntry:
    """Return a kept prediction as a list shows it."""
    return PredictionEntry(**kept_fields(task, view, one))


def scored_entry(task: Task, stored: StoredScore) -> PredictionEntry:
    """Return a prediction made ahead of time as a list shows it."""
    return PredictionEntry(**scored_fields(task, stored))


def kept_details(task: Task, kept: Kept, view: KeptView, one: Known) -> PredictionDetails:
    """Return a kept prediction with its event."""
    said = one.said
    place = EventPlace(topic=said.topic, partition=said.partition, offset=said.offset)
    note = (
        f"the event is over {MAX_VALUE_BYTES:,} bytes, which are not kept; it stands on the log at "
        f"{said.topic}-{said.partition}, offset {said.offset}"
    )
    return PredictionDetails(
        **kept_fields(task, view, one),
        **_event(kept, said.value, note),
        features_hash=said.features_hash,
        place=place,
    )


def scored_details(task: Task, kept: Kept, stored: StoredScore) -> PredictionDetails:
    """Return a prediction made ahead of time with its event."""
    said = stored.scored
    return PredictionDetails(
        **scored_fields(task, stored),
        **_event(kept, said.value, f"the event is over {MAX_VALUE_BYTES:,} bytes: not kept"),
        features_hash=said.features_hash,
        place=None,
    )


def _event(kept: Kept, value: bytes | None, note: str) -> dict[str, Any]:
    if value is None:
        return {"features": None, "features_note": note}
    return {"features": kept.features_of(value), "features_note": None}
