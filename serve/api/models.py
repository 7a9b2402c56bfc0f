"""The shapes of requests and answers, as OpenAPI shows them.

Routes on the hot path read and write JSON without these; a test holds their answers to them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from serve.api.problems import Problem
from stream.events import Scalar

_EVENT = {"flight_id": "2013-01-01-UA-1545", "carrier": "UA", "origin": "EWR", "distance": 1400}
_PREDICTION = {
    "event_id": "2013-01-01-UA-1545",
    "prediction": False,
    "probabilities": {"false": 0.82, "true": 0.18},
    "model_version": "v1",
    "learned_offset": 20417,
    "staleness_seconds": 0.41,
    "recorded": True,
    "flags": [],
}
_PLACE = {"id": "2013-01-01-UA-1545", "topic": "flights.events", "partition": 0, "offset": 20418}


def with_example(example: dict[str, Any]) -> ConfigDict:
    """Return a model's configuration with an example for OpenAPI."""
    return ConfigDict(extra="forbid", json_schema_extra={"examples": [example]})


MinOffset = Annotated[
    Annotated[int, Field(ge=0)] | dict[str, Annotated[int, Field(ge=0)]] | None,
    Field(
        description="Read your writes: how far the model must have read. The `min_offset` that "
        "/events and /labels answered (next offsets by partition), or a `learned_offset` of an "
        "earlier answer. Waits up to api.offset_wait for such a model."
    ),
]


KEY = (
    "Of a divided stream: what its producer keys the event by, where that is not the id. The shard "
    "of that key answers. Only with record = false: what is recorded is keyed by its id."
)


class PredictRequest(BaseModel):
    """One event to predict."""

    model_config = with_example({"event": _EVENT, "record": True})

    event: dict[str, Scalar] = Field(
        description="The event as it stands on the topic: a flat JSON object. A label in it is "
        "not shown to the model."
    )
    record: bool = Field(
        True,
        description="Append the event to the topic, so that it is scored and learned from. false "
        "asks without leaving a trace; then the id may be missing, and a missing time is now.",
    )
    min_offset: MinOffset = None
    key: str | None = Field(None, min_length=1, max_length=512, description=KEY)


class BatchRequest(BaseModel):
    """Events to predict, all by the same model."""

    model_config = with_example({"events": [_EVENT], "record": False})

    events: list[dict[str, Scalar]] = Field(description="Up to api.max_batch events.")
    record: bool = Field(True, description="As for one event; for all of them.")
    min_offset: MinOffset = None


class SchemaFlag(BaseModel):
    """What the schema says of a feature of an event that was predicted all the same."""

    feature: str
    kind: str = Field(description="By the names of /anomalies, such as out_of_range.")
    severity: Literal["error", "warning"]
    message: str = Field(description="What was found, what was expected, and what was done.")


class Voice(BaseModel):
    """A shard of a divided stream that answered, and how far its model has read."""

    shard: str
    model_version: str
    learned_offset: int


class Prediction(BaseModel):
    """What the model says, and which model it was."""

    model_config = with_example(_PREDICTION)

    event_id: str | None = Field(description="The event's id; null where none was given.")
    prediction: bool | int | float | str | None = Field(
        description="The class, value or score; null where the model has nothing to say yet."
    )
    probabilities: dict[str, float] | None = Field(
        description="Of each class by its name; null where the model gives none."
    )
    model_version: str
    learned_offset: int = Field(
        description="How far the model has read: the sum of the next offsets of all partitions."
    )
    staleness_seconds: float = Field(description="Time since the model's checkpoint was made.")
    recorded: bool = Field(
        description="Whether the event was taken to be appended to the topic. false where that "
        "was not asked for, or the queue is full."
    )
    flags: list[SchemaFlag] = Field(
        description="What the served schema finds wrong and that did not keep the event from "
        "being predicted: warnings, and with api.on_schema_error = 'flag' errors too."
    )
    shards: list[Voice] = Field(
        default=[],
        description="Of a divided stream: the shards whose models answered. Else it is left out.",
    )
    silent_shards: int = Field(
        0,
        description="Of a divided stream with model.share = 'vote': shards without a model, or "
        "whose model had nothing to say. They are left out of the answer.",
    )
    answered_by: Literal["parent", "key"] | None = Field(
        None,
        description="With models per key: the key's own, or the shared one. Absent without.",
    )


class BatchResult(BaseModel):
    """The answer to one event of a batch: exactly one of the two."""

    model_config = ConfigDict(extra="forbid")

    prediction: Prediction | None = None
    problem: Problem | None = Field(None, description="Why this event failed; others did not.")


class BatchAnswer(BaseModel):
    """The answers to a batch, in its order."""

    model_config = with_example({"results": [{"prediction": _PREDICTION}], "failed": 0})

    results: list[BatchResult]
    failed: int = Field(description="How many of them are problems.")


class Place(BaseModel):
    """Where an appended object stands."""

    id: str | None = Field(description="The event's id.")
    topic: str
    partition: int
    offset: int


class Accepted(BaseModel):
    """What was appended and is durable, in order."""

    model_config = with_example({"accepted": [_PLACE], "min_offset": {"flights.events-0": 20419}})

    accepted: list[Place]
    min_offset: dict[str, int] = Field(
        description="Next offsets behind what was appended, by partition: sent as `min_offset` "
        "with a prediction it is answered by a model that has read all of it."
    )


class Checkpoint(BaseModel):
    """The newest checkpoint that the worker committed."""

    number: int
    model_version: str
    created_at: float = Field(description="Seconds since the epoch.")
    age_seconds: float


class Serving(BaseModel):
    """The model that this API answers with, and what it did since its start."""

    checkpoint: int | None = Field(description="Number of the model's checkpoint; null: no model.")
    model_version: str | None
    learned_offset: int | None
    staleness_seconds: float | None
    predictions: int = Field(description="Predictions given.")
    recording: int = Field(description="Served events that wait to be appended.")
    recorded: int = Field(description="Served events that are on the topic.")
    shed: int = Field(description="Not taken, because the queue was full.")
    lost: int = Field(description="Taken, and not written.")


class MonitorStatus(BaseModel):
    """What the monitor says, as of the newest checkpoint."""

    state: str = Field(description="OK, WARNING, DRIFT, RETRAINING, COOLDOWN or HALTED.")
    learning: bool = Field(description="false while HALTED: the model goes on answering as it is.")
    warm_up_events: int | None = Field(
        description="Events of the warm-up so far, out of monitor.warmup_events; null once it is "
        "over."
    )
    pane: int | None = Field(description="Number of the newest closed pane; null before the first.")
    alarms: list[str] = Field(description="Features in alarm in that pane, the worst first.")
    concept_ratio: float = Field(description="Evidence for a rise of the loss; 1 is a detection.")
    url: str = Field(description="Path of the whole story.")


class StreamStatus(BaseModel):
    """How a stream is."""

    stream: str
    task: str
    parts: dict[str, str] = Field(
        description="store, model and log: ok, none yet, or what is wrong."
    )
    serving: Serving
    checkpoint: Checkpoint | None
    monitor: MonitorStatus | None = Field(
        description="null before the first checkpoint, and where the monitor is switched off."
    )
    status: dict[str, Any] | None = Field(
        description="Counts, labels, scores beside the baselines, and offsets, as the worker "
        "committed them; as 'riverrun status --json' prints them. Of a divided stream the sums, "
        "and each shard under `shards`."
    )
    deliveries: dict[str, Any] = Field(
        description="By receiver of alerts: sent, failed tries, dropped, waiting, last error."
    )


class StreamSummary(BaseModel):
    """A stream in the list."""

    name: str
    task: str
    model_version: str | None
    url: str = Field(description="Path of its status.")


class StreamList(BaseModel):
    """The streams that are served here."""

    streams: list[StreamSummary]


class Alive(BaseModel):
    """The process answers."""

    status: str = "alive"


class Ready(BaseModel):
    """Everything that serving needs works."""

    status: str = "ready"
    parts: dict[str, dict[str, str]] = Field(description="By stream and part.")
