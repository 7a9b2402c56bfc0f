"""What librdkafka is given: the same address, TLS and SASL as kafka-python, in its own words."""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import confluent_kafka
from confluent_kafka import KafkaError
from kafka import errors as kafka_errors

from stream.errors import LogError
from stream.logs.kafka_connection import KafkaAddress
from stream.logs.kafka_reader import METADATA_SECONDS

TRANSPORT: Final = f"librdkafka {confluent_kafka.libversion()[0]}"


def client_settings(address: KafkaAddress) -> dict[str, Any]:
    """Return the settings of every client of librdkafka.

    Parameters
    ----------
    address
        Read and checked already; the first contact with the cluster was made, too.
    """
    settings = {
        "bootstrap.servers": ",".join(
            f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            for host, port in address.servers
        ),
        "security.protocol": address.settings["security_protocol"],
        "reconnect.backoff.max.ms": 2_000,
        "topic.metadata.refresh.interval.ms": int(METADATA_SECONDS * 1000),
        "allow.auto.create.topics": False,
        "logger": _quiet_logger(),
    }
    if "ssl_context" in address.settings:
        settings |= _tls(address)
    if mechanism := address.settings.get("sasl_mechanism"):
        settings |= _sasl(mechanism, address.settings)
    return settings


def _tls(address: KafkaAddress) -> dict[str, Any]:
    options = address.options
    settings = {"ssl.ca.location": options.get("ssl_cafile") or _system_authorities()}
    if (certificate := options.get("ssl_certfile")) is not None:
        settings["ssl.certificate.location"] = certificate
        settings["ssl.key.location"] = options.get("ssl_keyfile") or certificate
        if address.credentials.key_password is not None:
            settings["ssl.key.password"] = address.credentials.key_password
    return settings


def _system_authorities() -> str:
    """Return whom Python trusts, or let librdkafka look for that itself."""
    paths = ssl.get_default_verify_paths()
    found = (path for path in (paths.cafile, paths.capath) if path and Path(path).exists())
    return next(found, "probe")


def _sasl(mechanism: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    if mechanism != "OAUTHBEARER":
        return {
            "sasl.mechanism": mechanism,
            "sasl.username": settings["sasl_plain_username"],
            "sasl.password": str(settings["sasl_plain_password"]),
        }
    tokens = settings["sasl_oauth_token_provider"]

    def fetch(_config: str) -> tuple[str, float]:
        token, life = tokens.token_and_life()
        return token, time.time() + life

    return {"sasl.mechanism": mechanism, "oauth_cb": fetch}


def translated(address: KafkaAddress, error: KafkaError, doing: str) -> LogError:
    """Return the error of ours that says what one of librdkafka's does."""
    return address.translate(as_python(error), doing)


def as_python(error: KafkaError) -> kafka_errors.KafkaError:
    """Return an error as kafka-python would raise it: both know Kafka's own codes.

    Examples
    --------
    >>> as_python(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED, "not for you"))
    TopicAuthorizationFailedError('not for you')
    """
    code, text = error.code(), error.str()
    if code == KafkaError._AUTHENTICATION:  # noqa: SLF001 (so librdkafka names its own codes)
        return kafka_errors.SaslAuthenticationFailedError(text)
    if code < 0:
        return kafka_errors.KafkaConnectionError(f"{error.name()}: {text}")
    found: kafka_errors.KafkaError = kafka_errors.for_code(code)(text)
    return found


def _quiet_logger() -> logging.Logger:
    """Return where librdkafka tells of each reconnection; what matters is told by ours."""
    logger = logging.getLogger("librdkafka")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.CRITICAL)
    return logger
