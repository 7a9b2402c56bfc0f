"""Live events out of the store: what checkpoints brought, in the order of the events' ids."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec
from fastapi.sse import format_sse_event
from pydantic import BaseModel

from serve.api.lifecycle.reading import shown_change
from serve.api.live.place import ANOMALY, PANE, PREDICTION, RUN, STATUS, Place
from serve.api.live.shapes import AnomalyEvent, PaneEvent, PredictionEvent, ReloadEvent, StatusEvent
from serve.api.monitoring.queries import moment
from serve.api.served_stream import ServedStream
from serve.api.status import status_of_stream
from stream.learner import decide, probabilities
from stream.recent import KeptPrediction
from stream.sections import Task
from stream.storage.history import StoredPane
from stream.storage.recent import StoredChunk
from stream.storage.store import Store

EVENTS_MAX = 500
"""Runs' changes, panes, or checkpoints with anomalies that are sent again; more is a reload."""

PREDICTIONS_MAX = 20
"""Predictions of one checkpoint that are sent."""

_CHUNKS_MAX = 5
_ALARMS_MAX = 20
_STALE_SECONDS = 5.0
_MS = 1000


class LiveEvent(NamedTuple):
    """One event, as it goes over the wire."""

    place: Place
    kind: str
    wire: bytes


class TooManyError(Exception):
    """More came since than is sent again."""


def collect(store: Store, task: Task, after: int, upto: int) -> list[LiveEvent]:
    """Return what the checkpoints after one brought, all but the status. Blocks.

    Parameters
    ----------
    store
        Only read.
    task
        Of the stream.
    after, upto
        Numbers of checkpoints: those in (after, upto].

    Raises
    ------
    TooManyError
    StoreError
    """
    found = [
        *_runs(store, after),
        *_panes(store, after),
        *_anomalies(store, after),
        *_predictions(store, task, after),
    ]
    return sorted((event for event in found if event.place.number <= upto), key=_place)


def status_event(stream: ServedStream, rate: float | None, number: int) -> LiveEvent:
    """Return how a stream is now, in the place of a checkpoint whose other events were sent.

    Parameters
    ----------
    stream
        Asks neither store nor log.
    rate
        Events a second between the two newest checkpoints.
    number
        Of that checkpoint.
    """
    told = status_of_stream(stream)
    newest, status = told.checkpoint, told.status or {}
    lag = status.get("lag")
    watermark = status.get("watermark")
    event = StatusEvent.model_validate(
        {
            "at": moment(stream.clock.now()),
            "parts": told.parts,
            "checkpoint": newest,
            "serving": told.serving,
            "events_per_second": 0.0
            if newest is not None and newest.age_seconds > _STALE_SECONDS
            else rate,
            "lag": lag,
            "lag_total": None if lag is None else sum(lag.values()),
            "counts": status.get("counts", {}),
            "labels": status.get("labels", {}),
            "scores": status.get("scores", {}),
            "rolling": status.get("rolling", {}),
            "learned_offset": status.get("learned_offset"),
            "watermark": None if watermark is None else moment(watermark / _MS),
            "checkpoint_seconds": status.get("checkpoint_seconds"),
            "monitor": told.monitor,
            "run": (status.get("retrain") or {}).get("run"),
        }
    )
    return _event(Place(number, STATUS, 0), "status", event)


def reload_event(number: int, reason: str) -> LiveEvent:
    """Return that events were left out, up to a checkpoint."""
    content = ReloadEvent.model_validate({"reason": reason})
    return _event(Place(number, STATUS, 0), "reload", content)


def rate_of(store: Store) -> float | None:
    """Return events a second between the two newest checkpoints; None without two. Blocks."""
    kept = store.checkpoints(limit=2)
    if len(kept) < 2:
        return None
    newest, before = kept
    events = newest.status["counts"]["events"] - before.status["counts"]["events"]
    seconds = newest.created_at - before.created_at
    return round(events / seconds, 3) if seconds > 0 and events >= 0 else None


def _runs(store: Store, after: int) -> Iterator[LiveEvent]:
    changes: list[dict[str, Any]] = _limited(store.runs.since(after, EVENTS_MAX + 1))
    for change in changes:
        place = Place(change["number"], RUN, change["position"])
        yield _event(place, "run", shown_change(change))


def _panes(store: Store, after: int) -> Iterator[LiveEvent]:
    found: list[StoredPane] = _limited(store.history.since(after, EVENTS_MAX + 1))
    if found and found[0].row.index and found[0].key == store.history.oldest():
        raise TooManyError  # those between are forgotten
    places: dict[int, int] = {}
    for stored in found:
        row, number = stored.row, stored.key.number
        places[number] = index = places.get(number, -1) + 1
        summary = row.summary
        alarms = [name for role, name in summary.alarms if role == "feature"]
        event = PaneEvent.model_validate(
            {
                "pane": row.index,
                "state": summary.state,
                "version": row.version,
                "first": moment(row.first),
                "last": moment(row.last),
                "events": row.events,
                "errors": row.errors,
                "alarms": alarms[:_ALARMS_MAX],
                "alarms_total": len(alarms),
                "signals": summary.signals,
                "wants": summary.actions,
                "drifts": [msgspec.to_builtins(drift) for drift in summary.drifts],
            }
        )
        yield _event(Place(number, PANE, index), "pane", event)


def _anomalies(store: Store, after: int) -> Iterator[LiveEvent]:
    for number, _, sightings in _limited(store.recent.sightings(after, EVENTS_MAX + 1)):
        for index, seen in enumerate(sightings):
            event = AnomalyEvent.model_validate(
                {
                    "kind": seen.kind,
                    "feature": seen.feature,
                    "severity": seen.severity,
                    "count": seen.count,
                    "last_seen": moment(seen.last / _MS),
                    "sample": seen.sample or None,
                    "expected": seen.expected or None,
                }
            )
            yield _event(Place(number, ANOMALY, index), "anomaly", event)


def _predictions(store: Store, task: Task, after: int) -> Iterator[LiveEvent]:
    """Yield the newest of each checkpoint; of many checkpoints only the newest ones'."""
    for stored in store.recent.newest(after, _CHUNKS_MAX):
        yield from _of_chunk(stored, task)


def _of_chunk(stored: StoredChunk, task: Task) -> Iterator[LiveEvent]:
    made = stored.chunk.predictions
    shown = made[-PREDICTIONS_MAX:]
    first = stored.chunk.first + len(made) - len(shown)
    for index, said in enumerate(shown):
        left_out = len(made) - len(shown) if index == 0 else 0
        event = PredictionEvent(**_prediction(said, task), number=first + index, left_out=left_out)
        yield _event(Place(stored.number, PREDICTION, index), "prediction", event)


def _prediction(said: KeptPrediction, task: Task) -> Mapping[str, Any]:
    return {
        "id": said.id,
        "time": moment(said.time / _MS),
        "predicted_at": moment(said.said_at / _MS),
        "prediction": decide(task, said.prediction),
        "probabilities": probabilities(task, said.prediction),
        "model_version": said.model_version,
        "source": said.source,
        "latency_ms": said.latency_ms,
    }


def _event(place: Place, kind: str, content: BaseModel) -> LiveEvent:
    wire = format_sse_event(data_str=content.model_dump_json(), event=kind, id=str(place))
    return LiveEvent(place, kind, wire)


def _limited(found: Any) -> Any:
    if len(found) > EVENTS_MAX:
        raise TooManyError
    return found


def _place(event: LiveEvent) -> Place:
    return event.place
