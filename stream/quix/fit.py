"""Whether a stream can be run by Quix Streams."""

from __future__ import annotations

from stream.config import Config
from stream.errors import ConfigError, Problem


def refuse_unfit(config: Config, where: str) -> None:
    """Raise where the configuration asks for what the Quix runner does not do.

    Parameters
    ----------
    config
        The stream's.
    where
        Names the configuration in the message.

    Raises
    ------
    ConfigError
        With everything that does not fit.
    """
    why = "with --runner quix"
    unfit = [
        (
            "stream.broker",
            config.stream.broker.partition(":")[0],
            config.stream.broker.startswith("kafka"),
            f"kafka://HOST:PORT: {why} the log is Kafka",
        ),
        (
            "stream.shards",
            repr(config.stream.shards),
            config.stream.shards == "partition",
            f'set "partition": {why} each partition has a state of its own',
        ),
        (
            "model.per",
            "nothing",
            config.model.per is not None,
            f"name a field: {why} there are models per key",
        ),
        (
            "model.share",
            repr(config.model.share),
            config.model.share == "independent",
            f"leave it out: {why} partitions share nothing",
        ),
        (
            "monitor.enabled",
            "true",
            not config.monitor.enabled,
            f"switch it off: {why} nothing is watched",
        ),
        (
            "alerts.webhook",
            repr(config.alerts.webhook),
            config.alerts.webhook is None,
            f"leave it out: {why} nobody is told",
        ),
        (
            "worker.health_port",
            repr(config.worker.health_port),
            config.worker.health_port is None,
            f"leave it out: {why} the worker answers no probes",
        ),
    ]
    problems = [Problem(key, found, allowed) for key, found, fits, allowed in unfit if not fits]
    if problems:
        raise ConfigError(where, problems)
