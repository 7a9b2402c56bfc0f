"""The configuration: one file, ``riverrun.toml``, and what the environment overrides.

Values are frozen; ``load_config`` makes them, once, in the composition root.
"""

from __future__ import annotations

from pydantic import model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from monitor.errors import ConfigError as MonitorConfigError
from stream.api_sections import ApiSection, OidcSection
from stream.errors import ConfigError, Problem
from stream.kafka_section import KafkaSection
from stream.lifecycle.schedule import next_due
from stream.model_section import ModelSection
from stream.sections import (
    DEFAULT_METRICS,
    CheckpointSection,
    DeadLettersSection,
    EventSection,
    LabelsSection,
    MonitorSection,
    PredictionsSection,
    RetrainSection,
    StreamSection,
    TopicsSection,
    WorkerSection,
)
from stream.telling_sections import AlertsSection, CanvasSection, MlflowSection
from stream.watching.monitor_config import file_key, monitor_config


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
    kafka: KafkaSection = KafkaSection()
    topics: TopicsSection = TopicsSection()
    event: EventSection = EventSection()
    model: ModelSection
    labels: LabelsSection = LabelsSection()
    dead_letters: DeadLettersSection = DeadLettersSection()
    checkpoint: CheckpointSection = CheckpointSection()
    worker: WorkerSection = WorkerSection()
    predictions: PredictionsSection = PredictionsSection()
    monitor: MonitorSection = MonitorSection()
    retrain: RetrainSection = RetrainSection()
    api: ApiSection = ApiSection()
    oidc: OidcSection = OidcSection()
    alerts: AlertsSection = AlertsSection()
    mlflow: MlflowSection = MlflowSection()
    canvas: CanvasSection = CanvasSection()

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
    return [
        *problems,
        *_shards_conflicts(config),
        *_key_conflicts(config),
        *_monitor_conflicts(config),
        *_retrain_conflicts(config),
        *_api_conflicts(config),
    ]


def _shards_conflicts(config: Config) -> list[Problem]:
    share = config.model.share
    if config.stream.shards == "all":
        allowed = 'leave it out: with stream.shards = "all" there is one model'
        return [] if share == "independent" else [Problem("model.share", repr(share), allowed)]
    why = 'with stream.shards = "partition"'
    is_batched = share == "averaged" and config.model.mini_batch
    unfit = {
        "model.mini_batch": (is_batched, 'leave it out: share = "averaged" learns one by one'),
        "alerts.alertmanager": (
            config.alerts.alertmanager,
            f"leave it out: {why} only alerts.webhook is told",
        ),
        "mlflow.tracking_uri": (
            config.mlflow.tracking_uri,
            f"leave it out: {why} there is no version of the whole stream to mirror",
        ),
    }
    return [
        *(Problem(key, repr(found), allowed) for key, (found, allowed) in unfit.items() if found),
        *_share_conflicts(config),
    ]


def _key_conflicts(config: Config) -> list[Problem]:
    model, event = config.model, config.event
    if model.per is None:
        return []
    problems = []
    if config.retrain.enabled:
        allowed = "switch it off: with model.per nothing is retrained"
        problems.append(Problem("retrain.enabled", "true", allowed))
    if model.mini_batch is not None:
        allowed = "leave it out: models per key learn event by event"
        problems.append(Problem("model.mini_batch", str(model.mini_batch), allowed))
    if model.share == "averaged":
        allowed = "another one: models of keys are not averaged"
        problems.append(Problem("model.share", repr(model.share), allowed))
    if model.per in {event.id, event.time, event.label}:
        allowed = "name a field that is neither the event's id, time nor label"
        problems.append(Problem("model.per", repr(model.per), allowed))
    elif event.features is not None and model.per not in event.features:
        allowed = "list it in event.features, too (model.per_feature says if the models see it)"
        problems.append(Problem("model.per", repr(model.per), allowed))
    return problems


def _share_conflicts(config: Config) -> list[Problem]:
    share = config.model.share
    if not config.retrain.enabled or share in ("independent", "vote"):
        return []
    allowed = f'switch it off: with model.share = "{share}" all shards go on from one model'
    return [Problem("retrain.enabled", "true", allowed)]


def _api_conflicts(config: Config) -> list[Problem]:
    api = config.api
    if (api.tls_cert is None) != (api.tls_key is None):
        missing = "tls_key" if api.tls_key is None else "tls_cert"
        return [Problem(f"api.{missing}", "nothing", "certificate and key belong together")]
    return []


def _retrain_conflicts(config: Config) -> list[Problem]:
    problems, retrain = [], config.retrain
    if retrain.schedule is not None:
        try:
            next_due(retrain.schedule, 0.0)
        except ValueError as error:
            problems.append(Problem("retrain.schedule", retrain.schedule, str(error)))
    if retrain.min_labels > retrain.max_labels:
        problems.append(Problem("retrain.min_labels", "more than max_labels", "make it smaller"))
    return problems


def _monitor_conflicts(config: Config) -> list[Problem]:
    try:
        monitor_config(config.monitor, config.retrain)
    except MonitorConfigError as error:
        parts = [mistake.partition(": ") for mistake in error.mistakes]
        return [
            Problem(file_key(what.partition(" = ")[0]), what.partition(" = ")[2], allowed)
            for what, _, allowed in parts
        ]
    return []
