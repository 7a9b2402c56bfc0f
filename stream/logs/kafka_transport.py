"""Which client carries the records of Kafka."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from stream.errors import InputError
from stream.log import Log


def open_kafka(url: str, **options: Any) -> Log:
    """Open an event log on a Kafka cluster, by the client that the URL asks for.

    Parameters
    ----------
    url
        ``kafka+librdkafka://`` asks for librdkafka, the extra ``riverrun[librdkafka]``;
        ``kafka+python://`` and ``kafka://`` for kafka-python, which alone bounds what a compressed
        batch unfolds into.
    options
        Of ``KafkaLog``.

    Raises
    ------
    InputError
        When librdkafka is asked for and not installed, or the URL is wrong.
    LogUnreachableError
    """
    scheme = url.partition("://")[0]
    if scheme != "kafka+librdkafka":
        from stream.logs.kafka_log import KafkaLog

        return KafkaLog(url, **options)
    if find_spec("confluent_kafka") is None:
        raise InputError(
            f"event log {url!r}: librdkafka is not installed here; pip install "
            "'riverrun[librdkafka]', or write kafka://"
        )
    from stream.logs.librdkafka_log import LibrdkafkaLog

    return LibrdkafkaLog(url, **options)
