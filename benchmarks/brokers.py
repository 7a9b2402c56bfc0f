"""The Kafka that a bench runs over, by each client that is installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

LOCAL = "local"


@contextmanager
def brokers(named: str | None) -> Iterator[list[str]]:
    """Yield a URL for each client; none without a broker.

    Parameters
    ----------
    named
        ``kafka://host:port``, None, or ``local`` for the pinned Apache Kafka, started for this.
    """
    if named is None:
        yield []
    elif named == LOCAL:
        from tests.kafka.broker import LocalKafka

        broker = LocalKafka()
        try:
            broker.start()
            yield _by_client(broker.url)
        finally:
            broker.remove()
    else:
        yield _by_client(named)


def _by_client(url: str) -> list[str]:
    schemes = ["kafka+python"]
    if find_spec("confluent_kafka") is not None:
        schemes.append("kafka+librdkafka")
    return [f"{scheme}://{url.partition('://')[2]}" for scheme in schemes]
