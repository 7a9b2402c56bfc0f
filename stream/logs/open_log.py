"""From a URL to an event log."""

from __future__ import annotations

from typing import Any

from stream.errors import InputError
from stream.log import Log
from stream.redact import without_secrets

KAFKA_SCHEMES = ("kafka", "kafka+librdkafka", "kafka+python")


def open_log(url: str, **options: Any) -> Log:
    """Open the event log that a URL names, and reach it.

    Parameters
    ----------
    url
        ``sqlite:///relative/path``, ``sqlite:////absolute/path`` or ``kafka://host:port,...``;
        ``kafka+librdkafka://`` and ``kafka+python://`` name the client too.
    options
        Passed to the log: see ``SqliteLog`` and ``KafkaLog``.

    Raises
    ------
    InputError
        When the URL is none of these.
    LogUnreachableError
        When the file or the broker cannot be reached.

    Examples
    --------
    >>> open_log("redis://localhost")
    Traceback (most recent call last):
    ...
    stream.errors.InputError: event log 'redis://localhost': found scheme 'redis'; use ...
    """
    # Each import happens when it is needed: the embedded log works without a Kafka client.
    scheme, separator, rest = url.partition("://")
    if scheme == "sqlite" and separator:
        from stream.logs.sqlite_log import SqliteLog

        if not rest.startswith("/") or len(rest) < 2:
            raise InputError(
                f"event log {url!r}: no file is named; write 'sqlite:///log.db', or four slashes "
                "before an absolute path"
            )
        return SqliteLog(rest[1:], **options)
    if scheme in KAFKA_SCHEMES and separator:
        from stream.logs.kafka_transport import open_kafka

        return open_kafka(url, **options)
    found = f"scheme {scheme!r}" if separator else "no scheme"
    raise InputError(
        f"event log {without_secrets(url)!r}: found {found}; use 'sqlite:///file.db' or 'kafka://host:9092'"
    )
