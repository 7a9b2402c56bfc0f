"""The tables of the configuration file: what each key means, its default and its limits."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from stream.units import parse_bytes, parse_duration

Task = Literal["binary", "multiclass", "regression", "anomaly"]
Share = Literal["independent", "averaged", "vote"]
FieldType = Literal["int", "float", "bool", "str"]

DEFAULT_METRICS: dict[str, tuple[str, ...]] = {
    "binary": ("ROCAUC", "LogLoss"),
    "multiclass": ("Accuracy", "MacroF1"),
    "regression": ("MAE", "RMSE"),
    "anomaly": ("ROCAUC",),
}


def _milliseconds(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


Duration = Annotated[int, BeforeValidator(_milliseconds), Field(ge=0)]
"""A duration; text such as ``3d`` in the file, milliseconds in the program."""


def _bytes(value: object) -> object:
    return parse_bytes(value) if isinstance(value, str) else value


Bytes = Annotated[int, BeforeValidator(_bytes), Field(ge=1)]
"""A size; text such as ``2GiB`` in the file, bytes in the program."""


_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"
Name = Annotated[str, Field(pattern=_NAME)]
TopicName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")]


class Section(BaseModel):
    """A table of the file: frozen, and nothing in it goes unnoticed."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class StreamSection(Section):
    """``[stream]``: what the stream is called and where its log and its store are."""

    name: Name = Field(description="prefix of topics, label of metrics, key of rows")
    broker: str = Field(
        "sqlite:///log.db",
        description="the event log: sqlite:///FILE or kafka://HOST:PORT,...; kafka+librdkafka:// "
        "and kafka+python:// name the client that carries its records",
    )
    store: str = Field(
        "sqlite:///riverrun.db",
        description="checkpoints and versions: sqlite:///FILE or postgresql+psycopg://...",
    )
    shards: Literal["all", "partition"] = Field(
        "all",
        description="all: one worker learns the whole stream; partition: each partition is a shard "
        "with its own state, and any number of workers share them",
    )
    on_gap: Literal["halt", "continue"] = Field(
        "halt", description="what to do where unread records expired: halt, or record and go on"
    )
    store_patience: Duration = Field(
        300_000,
        description="how long a worker that has begun tries again while the store cannot be "
        "reached or written, before it leaves with 3; 0s: at once",
    )


class TopicsSection(Section):
    """``[topics]``: names; the default is the stream's name and the kind."""

    events: TopicName | None = Field(None, description="default <name>.events")
    labels: TopicName | None = Field(None, description="default <name>.labels")
    predictions: TopicName | None = Field(None, description="default <name>.predictions")
    dead_letters: TopicName | None = Field(None, description="default <name>.dead-letters")
    create: bool | None = Field(
        None, description="create topics that are missing; default: on the embedded log only"
    )
    partitions: int = Field(1, ge=1, le=10_000, description="of the topics that are created")


class EventSection(Section):
    """``[event]``: how a flat JSON object becomes an event."""

    id: str | None = Field(
        None, description="field with the event's id; default: the record's key, or its place"
    )
    time: str | None = Field(
        None,
        description="field with the event time, RFC 3339 or epoch milliseconds; "
        "default: when the record was appended",
    )
    label: str | None = Field(
        None, description="field with the label, in the event or on the labels topic"
    )
    features: tuple[str, ...] | None = Field(
        None, min_length=1, max_length=10_000, description="default: every other field"
    )
    types: dict[str, FieldType] = Field(
        default_factory=dict, description="checked types of features: int, float, bool or str"
    )
    nulls: Literal["drop", "keep"] = Field(
        "drop", description="drop: a null feature is left out; keep: the model sees None"
    )
    max_bytes: int = Field(1_048_576, ge=1, description="larger events become dead letters")
    max_future: Duration = Field(
        7 * 86_400_000,
        description="an event time further than this past its record's time is a dead letter",
    )
    dedup_window: int = Field(
        100_000, ge=0, le=10_000_000, description="settled ids remembered to drop repeats"
    )


class LabelsSection(Section):
    """``[labels]``: how long a prediction waits for its label."""

    max_delay: Duration = Field(3 * 86_400_000, description="event time; then it expires")
    max_pending: int = Field(
        1_000_000, ge=1, description="the oldest predictions beyond it are given up, and counted"
    )
    wanted_budget: int = Field(
        100,
        ge=0,
        le=1_000,
        description="most uncertain predictions that people are asked to label; 0: none",
    )


class DeadLettersSection(Section):
    """``[dead_letters]``: when so much is wrong that the worker had better stop."""

    max_share: float = Field(
        0.5, gt=0, le=1, description="share of the window that stops the worker; 1 never does"
    )
    window: int = Field(1_000, ge=10, description="records that the share is taken over")


class CheckpointSection(Section):
    """``[checkpoint]``: how often state is committed."""

    share: float = Field(0.02, gt=0, le=1, description="of the time that commits may take")
    min_interval: Duration = Field(500, description="never more often than this")
    max_interval: Duration = Field(30_000, description="never less often than this")
    keep: int = Field(3, ge=2, le=100, description="checkpoints kept")


class WorkerSection(Section):
    """``[worker]``: what a model may take before the worker, or a training, stops and names it."""

    stuck_after: Duration = Field(
        120_000,
        description="for one event; then the worker ends with code 4, a training fails; 0: never",
    )
    session_timeout: Duration = Field(
        30_000,
        ge=6_000,
        le=300_000,
        description='with stream.shards = "partition": how long a worker may be silent before the '
        "others take its shards",
    )
    max_memory: Bytes | None = Field(
        None,
        ge=1 << 26,
        description='resident memory of the worker, and of a training, such as "2GiB"; no limit',
    )
    health_port: int | None = Field(
        None,
        ge=0,
        le=65_535,
        description="answers /healthz and /readyz of the worker there, on api.host; default: not",
    )


class PredictionsSection(Section):
    """``[predictions]``: what the store keeps of the inference log, for people who look."""

    keep: int = Field(
        10_000,
        ge=0,
        le=100_000,
        description="newest predictions in the store, with their events and labels; 0: none",
    )
    precomputed: int = Field(
        1_000_000,
        ge=1,
        description="results of 'riverrun score' that are kept; the oldest beyond it are forgotten",
    )


class MonitorSection(Section):
    """``[monitor]``: what is watched, and how many false alarms are bearable."""

    enabled: bool = Field(True, description="whether anything is watched")
    schema_file: str | None = Field(
        None, description="a schema.toml; default: inferred from the warm-up"
    )
    warmup_events: int = Field(
        10_000, ge=100, le=1_000_000, description="first events that schema and reference are of"
    )
    pane_events: int = Field(1_000, ge=10, description="events in a pane")
    pane_span: Duration | None = Field(
        None, description="event time of a pane, such as 10m, instead of pane_events; default: none"
    )
    panes_kept: int = Field(10_000, ge=64, description="closed panes kept in the store")
    idle_after: Duration = Field(
        10_000,
        description="how long a shard at its end may hold up the stream's panes of event time",
    )
    spans: tuple[int, ...] = Field(
        (1, 4, 16), min_length=1, description="lengths in panes that are tested together"
    )
    bins: int = Field(32, description="bins of equal mass of a numeric feature")
    categories: int = Field(100, description="categories of a feature that are counted by name")
    segments: tuple[str, ...] | None = Field(
        None,
        max_length=20,
        description="features whose segments performance is kept for; default: the first five "
        "with at most 20 categories",
    )
    frozen_every: int = Field(
        10,
        ge=0,
        description="the model as it was when it was promoted predicts one event in so many, as a "
        "baseline; 0 for none",
    )
    min_values: int = Field(100, description="fewer values in a span are INSUFFICIENT")
    false_alarms: str = Field(
        "1 per 1000 panes", description="budget of value skew for the whole stream"
    )
    wasserstein_floor: float = Field(
        0.1, description="smallest shift, in standard deviations, that is an alarm"
    )
    js_floor: float = Field(0.1, description="smallest Jensen-Shannon distance that is an alarm")
    detector: Literal[
        "ADWIN", "DDM", "EDDM", "HDDM_A", "HDDM_W", "PageHinkley", "KSWIN", "none"
    ] = Field("ADWIN", description="River's detector on the loss, beside the anytime-valid test")
    loss_false_alarms: str = Field(
        "1 per 100_000 losses", description="budget of the anytime-valid test on the loss"
    )
    reference_losses: int = Field(2_000, description="losses that the expected loss is taken from")
    halt_share: float = Field(
        0.05, description="share of a pane in error above which learning pauses"
    )
    calm_panes: int = Field(3, description="quiet panes before a state is left")
    cooldown_panes: int = Field(4, description="shortest cooldown after a retraining")


class RetrainSection(Section):
    """``[retrain]``: what begins a retraining, and what a challenger must prove."""

    enabled: bool = Field(True, description="whether challengers are trained at all")
    drift: bool = Field(True, description="train when the concept drifts, or values and loss do")
    skew: bool = Field(
        True, description="train a challenger when values shift and the loss is fine"
    )
    performance: bool = Field(
        True, description="train when the lead over the baselines, or over the estimate, is lost"
    )
    performance_drop: float = Field(
        0.1, gt=0, le=1, description="share of the lead whose loss counts as a drop"
    )
    labels: int | None = Field(
        None, ge=100, description="train a fresh model every so many labelled events"
    )
    schedule: str | None = Field(
        None, description='train a fresh model by the clock: "0 3 * * *" (cron, UTC) or "6h"'
    )
    change: bool = Field(
        True, description="train a challenger when the configured pipeline is another one"
    )
    max_per_day: int = Field(
        4, ge=0, description="runs within 24 hours of event time that nobody asked for"
    )
    window: int = Field(
        50_000, ge=100, description="events that a challenger is trained on, at most"
    )
    min_events: int = Field(1_000, ge=1, description="fewest events to train on")
    level: float = Field(
        0.01, gt=0, lt=0.5, description="largest probability of promoting a model that is no better"
    )
    margin: float = Field(
        0.01,
        ge=0,
        le=0.5,
        description="loss, as a share of its scale, by which a refresh may be worse",
    )
    min_labels: int = Field(500, ge=10, description="labels in the shadow before a decision")
    max_labels: int = Field(20_000, ge=10, description="labels in the shadow, at most")
    rung: int = Field(
        500, ge=10, description="labels after which the worse half of candidates leaves"
    )
    probation: int = Field(
        5_000, ge=0, description="labels for which the former champion may return"
    )
    max_loss: float | None = Field(
        None, gt=0, description="mean loss above which no model is promoted"
    )
