"""What the API answers, as values. Fields that this client does not know are left out."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

Scalar = str | int | float | bool | None


class FieldError(msgspec.Struct, frozen=True):
    """One field that is wrong."""

    field: str
    message: str


class Problem(msgspec.Struct, frozen=True):
    """Why something failed (RFC 9457).

    Parameters
    ----------
    type
        What kind of problem, such as ``urn:riverrun:problem:missing_id``.
    title, status, detail
        The HTTP status in words and as a number; what was found, and what to do.
    errors
        The fields that are wrong.
    known
        The names that would have been found.
    request_id
        To find it in the server's log.
    """

    type: str = "about:blank"
    title: str = ""
    status: int = 0
    detail: str = ""
    errors: list[FieldError] | None = None
    known: list[str] | None = None
    request_id: str | None = None

    @property
    def kind(self) -> str:
        """The last part of the type, to branch on; the whole of one that is not riverrun's."""
        return self.type.removeprefix("urn:riverrun:problem:")


class Prediction(msgspec.Struct, frozen=True):
    """What the model says of one event.

    Parameters
    ----------
    event_id
        None where none was given.
    prediction
        The class, value or score; None where the model has nothing to say yet.
    probabilities
        Of each class by its name; None where the model gives none.
    model_version, learned_offset
        Which model, and how far it has read.
    staleness_seconds
        Time since the model's checkpoint.
    recorded
        Whether the event was taken to be appended to the topic.
    flags
        What the schema finds wrong with the event: feature, kind, severity, message.
    answered_by
        With models per key: ``key`` or ``parent``; None without.
    """

    event_id: str | None
    prediction: bool | int | float | str | None
    probabilities: dict[str, float] | None
    model_version: str
    learned_offset: int
    staleness_seconds: float
    recorded: bool
    flags: list[dict[str, str]] = []
    answered_by: str | None = None


class BatchResult(msgspec.Struct, frozen=True):
    """The answer to one event of a batch: one of the two."""

    prediction: Prediction | None = None
    problem: Problem | None = None


class BatchAnswer(msgspec.Struct, frozen=True):
    """The answers to a batch, in its order."""

    results: list[BatchResult]
    failed: int


class Place(msgspec.Struct, frozen=True):
    """Where an appended event or label stands."""

    id: str | None
    topic: str
    partition: int
    offset: int


class Accepted(msgspec.Struct, frozen=True):
    """What was appended and is durable, in order.

    Parameters
    ----------
    accepted
        The places.
    min_offset
        For ``predict``: waits for a model that has read them.
    """

    accepted: list[Place]
    min_offset: dict[str, int] = {}


class PredictionEntry(msgspec.Struct, frozen=True):
    """One prediction, and what became of it; see ``GET /predictions``."""

    id: str
    number: int
    time: datetime | None
    predicted_at: datetime | None
    prediction: bool | int | float | str | None
    probabilities: dict[str, float] | None
    model_version: str
    learned_offset: int | None
    source: str
    latency_ms: int | None
    label_state: str
    label: bool | int | float | str | None
    labelled_at: datetime | None
    correct: bool | None
    loss: float | None


class PredictionDetails(PredictionEntry, frozen=True, kw_only=True):
    """A prediction with its event."""

    features: dict[str, Scalar] | None
    features_note: str | None
    features_hash: str
    place: dict[str, Any] | None


class PredictionPage(msgspec.Struct, frozen=True):
    """Predictions, the newest first; ``next`` is the cursor of the next page."""

    stream: str
    made: int
    kept: int
    keep: int
    reaches_back_to: datetime | None
    matching: int | None
    predictions: list[PredictionEntry]
    next: str | None


class Asked(msgspec.Struct, frozen=True):
    """A request to the worker, and what became of it: ``waiting``, ``done`` or ``refused``."""

    request: int
    kind: str
    state: str
    outcome: str | None
    by: str
    asked_at: datetime
    answered_at: datetime | None
    url: str


class LiveEvent(msgspec.Struct, frozen=True):
    """One live event.

    Parameters
    ----------
    id
        To go on behind it.
    type
        ``status``, ``pane``, ``run``, ``anomaly``, ``prediction`` or ``reload``.
    data
        What happened; see ``GET /live``.
    """

    id: str
    type: str
    data: dict[str, Any]
