"""Fixtures that several folders of tests share."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

with warnings.catch_warnings():
    # kafka-python 3.0.12 reads its schemas in a way that Python 3.11 and 3.12 deprecate.
    warnings.simplefilter("ignore", DeprecationWarning)
    import kafka  # noqa: F401

from tests.kafka.broker import KafkaMissingError, LocalKafka

# Machines are shared: how long an input takes to make says nothing about the code.
settings.register_profile("riverrun", suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("riverrun")


def real_thing(error: Exception) -> None:
    """Skip on a laptop where something real is missing; in CI that is a failure."""
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(str(error))
    pytest.skip(str(error))


@pytest.fixture(scope="session")
def kafka_broker() -> Iterator[LocalKafka]:
    """Return a running Apache Kafka that all tests share; they use topics of their own."""
    try:
        broker = LocalKafka()
    except KafkaMissingError as error:
        real_thing(error)
        raise
    try:
        broker.start()
        yield broker
    finally:
        broker.remove()
