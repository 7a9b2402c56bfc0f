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
        ``kafka+librdkafka://`` and ``kafka+python://`` name the client; ``kafka://`` takes
        librdkafka where it is installed, as the extra ``riverrun[librdkafka]``, and else
        kafka-python.
    options
        Of ``KafkaLog``.

    Raises
    ------
    InputError
        When librdkafka is asked for and not installed, or the URL is wrong.
    LogUnreachableError
    """
    scheme = url.partition("://")[0]
    is_installed = find_spec("confluent_kafka") is not None
    if scheme == "kafka+librdkafka" and not is_installed:
        raise InputError(
            f"event log {url!r}: librdkafka is not installed here; pip install "
            "'riverrun[librdkafka]', or write kafka+python://"
        )
    if scheme == "kafka+python" or not is_installed:
        from stream.logs.kafka_log import KafkaLog

        return KafkaLog(url, **options)
    from stream.logs.librdkafka_log import LibrdkafkaLog

    return LibrdkafkaLog(url, **options)
