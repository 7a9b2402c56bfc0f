"""The configuration: one file, ``riverrun.toml``, and what the environment overrides.

Values are frozen; ``load_config`` makes them, once, in the composition root.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from stream.errors import ConfigError, Problem
from stream.units import parse_duration

Task = Literal["binary", "multiclass", "regression", "anomaly"]
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
        "sqlite:///log.db", description="the event log: sqlite:///FILE or kafka://HOST:PORT,..."
    )
    store: str = Field(
        "sqlite:///riverrun.db",
        description="checkpoints and versions: sqlite:///FILE or postgresql+psycopg://...",
    )
    on_gap: Literal["halt", "continue"] = Field(
        "halt", description="what to do where unread records expired: halt, or record and go on"
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


class ModelSection(Section):
    """``[model]``: what learns."""

    task: Task
    pipeline: str | None = Field(None, description="a River expression")
    factory: str | None = Field(None, description='own Python: "package.module:function"')
    metrics: tuple[str, ...] | None = Field(
        None, min_length=1, max_length=20, description="names of river.metrics"
    )
    classes: tuple[str | int, ...] | None = Field(
        None, description="labels that may come; binary: [negative, positive]"
    )
    window: int = Field(1_000, ge=10, le=100_000, description="labels in the rolling scores")
    seed: int = Field(42, description="given to every estimator that takes one")


class LabelsSection(Section):
    """``[labels]``: how long a prediction waits for its label."""

    max_delay: Duration = Field(3 * 86_400_000, description="event time; then it expires")
    max_pending: int = Field(
        1_000_000, ge=1, description="the oldest predictions beyond it are given up, and counted"
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


class ApiSection(Section):
    """``[api]``: where the API listens and what it accepts."""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65_535, description="0 picks a free one")
    max_body_bytes: int = Field(1_048_576, ge=1_024, description="larger bodies are refused")
    max_batch: int = Field(1_000, ge=1, description="events in one batch request")
    queue: int = Field(
        10_000, ge=1, description="served predictions waiting to be logged; then shed, and counted"
    )


class Config(BaseSettings):
    """The whole configuration of one stream.

    Examples
    --------
    >>> config = Config(
    ...     stream={"name": "flights"},
    ...     event={"label": "late"},
    ...     model={"task": "binary", "pipeline": "linear_model.LogisticRegression()"},
    ... )
    >>> config.events_topic, config.labels.max_delay
    ('flights.events', 259200000)
    """

    model_config = SettingsConfigDict(
        env_prefix="RIVERRUN_",
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        nested_model_default_partial_update=False,
    )

    stream: StreamSection
    topics: TopicsSection = TopicsSection()
    event: EventSection = EventSection()
    model: ModelSection
    labels: LabelsSection = LabelsSection()
    dead_letters: DeadLettersSection = DeadLettersSection()
    checkpoint: CheckpointSection = CheckpointSection()
    api: ApiSection = ApiSection()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file."""
        return env_settings, init_settings

    @model_validator(mode="after")
    def _fits_together(self) -> Config:
        problems = list(_conflicts(self))
        if problems:
            raise ConfigError("", problems)
        return self

    @property
    def events_topic(self) -> str:
        """Topic that events arrive on."""
        return self.topics.events or f"{self.stream.name}.events"

    @property
    def labels_topic(self) -> str:
        """Topic that delayed labels arrive on."""
        return self.topics.labels or f"{self.stream.name}.labels"

    @property
    def predictions_topic(self) -> str:
        """Topic that every prediction is written to: the inference log."""
        return self.topics.predictions or f"{self.stream.name}.predictions"

    @property
    def dead_letters_topic(self) -> str:
        """Topic for what could not be used, bytes untouched."""
        return self.topics.dead_letters or f"{self.stream.name}.dead-letters"

    @property
    def topic_names(self) -> tuple[str, str, str, str]:
        """The stream's topics: events, labels, predictions, dead letters."""
        return (
            self.events_topic,
            self.labels_topic,
            self.predictions_topic,
            self.dead_letters_topic,
        )

    @property
    def metric_names(self) -> tuple[str, ...]:
        """The configured metrics, or the task's usual ones."""
        return self.model.metrics or DEFAULT_METRICS[self.model.task]


def _conflicts(config: Config) -> list[Problem]:
    problems = []
    model, event = config.model, config.event
    if (model.pipeline is None) == (model.factory is None):
        found = "neither" if model.pipeline is None else "both"
        problems.append(Problem("model.pipeline", found, "give one of pipeline and factory"))
    if event.label is None and model.task != "anomaly":
        problems.append(Problem("event.label", "nothing", f"the task {model.task!r} needs a label"))
    if model.task == "binary" and model.classes is not None and len(set(model.classes)) != 2:
        problems.append(
            Problem("model.classes", repr(list(model.classes)), "give [negative, positive]")
        )
    names = [n for n in (event.id, event.time, event.label) if n is not None]
    if len(set(names)) < len(names):
        problems.append(Problem("event", repr(names), "id, time and label are different fields"))
    used = set(event.features or ()) & {n for n in (event.label,) if n is not None}
    if used:
        problems.append(
            Problem("event.features", repr(sorted(used)), "the label cannot be a feature")
        )
    unused = set(event.types) - set(event.features or event.types)
    if unused:
        problems.append(
            Problem("event.types", repr(sorted(unused)), "types are for fields in event.features")
        )
    topics = config.topic_names
    if len(set(topics)) < len(topics):
        problems.append(Problem("topics", repr(topics), "each kind needs a topic of its own"))
    if config.checkpoint.min_interval > config.checkpoint.max_interval:
        problems.append(
            Problem("checkpoint.min_interval", "more than max_interval", "make it smaller")
        )
    return problems
