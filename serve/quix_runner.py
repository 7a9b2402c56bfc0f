"""The composition of a worker that Quix Streams runs."""

from __future__ import annotations

from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from serve.compose import Secrets, open_stream_log, prepare_topics
from stream.clock import SystemClock
from stream.config import Config
from stream.errors import InputError
from stream.quix.fit import refuse_unfit


def run_by_quix(
    config: Config,
    secrets: Secrets,
    where: str,
    *,
    member: str,
    state_dir: Path,
    until_caught_up: bool = False,
) -> dict[str, Any]:
    """Run a stream's core step as a Quix application; return the status of each partition.

    Parameters
    ----------
    config, secrets
        Of the stream.
    where
        Names the configuration in error messages.
    member
        Name of this process among those that share the stream.
    state_dir
        Folder of its state.
    until_caught_up
        Whether it ends where the log does.

    Raises
    ------
    ConfigError
        With everything that Quix does not run.
    InputError
        When the extra is not installed.
    HaltedError, LogError
    """
    refuse_unfit(config, where)
    if find_spec("quixstreams") is None:
        raise InputError(
            "--runner quix: Quix Streams is not installed here; pip install 'riverrun[quix]', or "
            "leave the option out"
        )
    # Neither is imported by a worker that runs by itself.
    from stream.build import line_factory
    from stream.logs.kafka_connection import KafkaAddress
    from stream.logs.kafka_security import Credentials
    from stream.logs.librdkafka_settings import client_settings
    from stream.quix.runner import Member, QuixRunner
    from stream.sharding.fit import shard_count

    make_line = line_factory(config, where)
    with closing(open_stream_log(config, secrets)) as log:
        prepare_topics(config, log)
        shard_count(config, log)
    credentials = Credentials(
        secrets.kafka_username,
        secrets.kafka_password,
        secrets.kafka_client_secret,
        secrets.kafka_key_password,
    )
    address = KafkaAddress.parse(config.stream.broker, config.kafka.options(), credentials)
    folder = Member(member, state_dir)
    runner = QuixRunner(
        config, make_line, client_settings(address), folder, secrets.signing, SystemClock()
    )
    return runner.run(until_caught_up)
