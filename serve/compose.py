"""The composition root's parts: secrets, log, store and topics of one configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from stream.clock import Clock
from stream.config import Config
from stream.errors import (
    ConfigError,
    FencedError,
    HaltedError,
    Problem,
    RiverrunError,
    StoreError,
    TopicNotFoundError,
)
from stream.known_types import know_types
from stream.log import Log
from stream.logs.open_log import open_log
from stream.storage.store import SHARD, Store

if TYPE_CHECKING:
    from stream.worker import Worker


@dataclass(frozen=True, slots=True)
class Secrets:
    """What must not stand in a configuration file.

    Parameters
    ----------
    signing
        Key that checkpoints are signed with.
    kafka_username, kafka_password, kafka_client_secret, kafka_key_password
        For SASL, for tokens of OAUTHBEARER, and of an encrypted ``kafka.ssl_keyfile``.
    webhook_token, alertmanager_token
        For the header ``Authorization``.
    webhook_secret
        Key that what is posted to the webhook is signed with.
    api_keys
        API keys by role.
    """

    signing: bytes | None = None
    kafka_username: str | None = None
    kafka_password: str | None = None
    kafka_client_secret: str | None = None
    kafka_key_password: str | None = None
    webhook_token: str | None = None
    webhook_secret: bytes | None = None
    alertmanager_token: str | None = None
    api_keys: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return "Secrets(hidden)"


def read_secrets(environ: Mapping[str, str]) -> Secrets:
    """Read secrets from the environment, or from the files that it names.

    ``RIVERRUN_SECRET`` or ``RIVERRUN_SECRET_FILE``, and in the same way
    ``RIVERRUN_KAFKA_USERNAME``, ``RIVERRUN_KAFKA_PASSWORD``, ``RIVERRUN_KAFKA_CLIENT_SECRET``,
    ``RIVERRUN_KAFKA_KEY_PASSWORD``, ``RIVERRUN_ALERTS_WEBHOOK_TOKEN``,
    ``RIVERRUN_ALERTS_WEBHOOK_SECRET`` and ``RIVERRUN_ALERTS_ALERTMANAGER_TOKEN``; and API keys:
    ``RIVERRUN_API_VIEWER_KEY``, ``RIVERRUN_API_PREDICTOR_KEY``, ``RIVERRUN_API_OPERATOR_KEY``.

    Raises
    ------
    ConfigError
        When a named file cannot be read, or a secret is empty.
    """
    signing = _secret(environ, "RIVERRUN_SECRET")
    webhook_signing = _secret(environ, "RIVERRUN_ALERTS_WEBHOOK_SECRET")
    api_keys = {
        role: key
        for role in ("viewer", "predictor", "operator")
        if (key := _secret(environ, f"RIVERRUN_API_{role.upper()}_KEY")) is not None
    }
    return Secrets(
        None if signing is None else signing.encode(),
        _secret(environ, "RIVERRUN_KAFKA_USERNAME"),
        _secret(environ, "RIVERRUN_KAFKA_PASSWORD"),
        _secret(environ, "RIVERRUN_KAFKA_CLIENT_SECRET"),
        _secret(environ, "RIVERRUN_KAFKA_KEY_PASSWORD"),
        _secret(environ, "RIVERRUN_ALERTS_WEBHOOK_TOKEN"),
        None if webhook_signing is None else webhook_signing.encode(),
        _secret(environ, "RIVERRUN_ALERTS_ALERTMANAGER_TOKEN"),
        api_keys,
    )


def _secret(environ: Mapping[str, str], name: str) -> str | None:
    text = environ.get(name)
    file = environ.get(f"{name}_FILE")
    if text is None and file is not None:
        try:
            text = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            problem = Problem(f"{name}_FILE", file, f"it must be a readable file: {error}")
            raise ConfigError("environment", [problem]) from None
    if text == "":
        raise ConfigError("environment", [Problem(name, "an empty text", "unset it, or fill it")])
    return text


def open_stream_log(config: Config, secrets: Secrets) -> Log:
    """Open the event log of a stream.

    Raises
    ------
    InputError, LogUnreachableError
    """
    if not config.stream.broker.startswith("kafka"):
        return open_log(config.stream.broker)
    # Not at the top: the embedded log works without a Kafka client.
    from stream.logs.kafka_security import Credentials

    credentials = Credentials(
        secrets.kafka_username,
        secrets.kafka_password,
        secrets.kafka_client_secret,
        secrets.kafka_key_password,
    )
    return open_log(
        config.stream.broker,
        options=config.kafka.options(),
        credentials=credentials,
        patience_seconds=config.kafka.patience / 1000,
    )


def open_stream_store(config: Config, secrets: Secrets, shard: str = SHARD) -> Store:
    """Open the store of a stream, or of one of its shards.

    Raises
    ------
    ConfigError, StoreUnreachableError
    """
    stream = config.stream
    return Store(stream.store, stream.name, shard=shard, secret=secrets.signing)


def prepare_topics(config: Config, log: Log, create: bool | None = None) -> list[str]:
    """Create the stream's missing topics where that is wanted; return which were created.

    Parameters
    ----------
    create
        Overrides ``topics.create``; without either, only the embedded log creates them.

    Raises
    ------
    TopicNotFoundError
        When one is missing and not to be created.
    """
    known = log.topics()
    missing = [topic for topic in config.topic_names if topic not in known]
    wanted = create if create is not None else config.topics.create
    if wanted is None:
        wanted = config.stream.broker.startswith("sqlite")
    if missing and not wanted:
        raise TopicNotFoundError(missing[0], log.url, list(known))
    log.create_topics(dict.fromkeys(missing, config.topics.partitions))
    return missing


@contextmanager
def opened_worker(config: Config, secrets: Secrets, where: str) -> Iterator[Worker]:
    """Open a worker that has not started, with its log and its store; close them afterwards.

    Parameters
    ----------
    config, secrets
        Of the stream.
    where
        Names the configuration in error messages.

    Raises
    ------
    ConfigError, LogError, StoreError
    """
    # River takes a second to import, and most commands do without.
    from serve.notify.couriers import delivering
    from serve.training import TrainingProcess
    from stream.build import line_factory
    from stream.clock import SystemClock
    from stream.sharding.fit import refuse_other_shards
    from stream.worker import open_worker

    make_line, clock = line_factory(config, where), SystemClock()
    know_types()
    with (
        closing(open_stream_log(config, secrets)) as log,
        closing(open_stream_store(config, secrets)) as store,
        delivering(config, secrets, store, clock),
        halts_written_down(store, clock),
    ):
        prepare_topics(config, log)
        refuse_other_shards(config, store.sharding, None)
        launch = TrainingProcess if config.retrain.enabled else None
        yield open_worker(config, log, store, make_line, clock, launch)


@contextmanager
def halts_written_down(store: Store, clock: Clock) -> Iterator[None]:
    """Let whoever is told of halts hear of one, once, that no checkpoint could hold."""
    try:
        yield
    except RiverrunError as error:
        if error.exit_code == HaltedError.exit_code and not isinstance(error, FencedError):
            with suppress(StoreError):  # then the first error matters more
                last = store.happenings(limit=1)
                said = [row["detail"].get("message") for row in last if row["kind"] == "halted"]
                if str(error) not in said:
                    store.record("halted", {"message": str(error)}, clock.now())
        raise
