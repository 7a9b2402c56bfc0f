"""How Kafka is reached: addresses, TLS and SASL from a URL, and what its errors mean."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from kafka import errors as kafka_errors

from stream.errors import InputError, LogError, LogUnreachableError
from stream.logs.kafka_contact import first_contact, refusal
from stream.logs.kafka_security import Credentials, security_settings

_CONNECT_SECONDS = 3.0
_BOOTSTRAP_SECONDS = 6.0
_PATIENCE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class KafkaAddress:
    """Where a cluster is and how to speak to it.

    Parameters
    ----------
    servers
        Pairs of host and port; any of them leads to the whole cluster.
    settings
        What every client of kafka-python is given. Secrets are in it, so it is never shown.
    patience_seconds
        How long a cluster that does not answer is borne by who already works with it.
    options, credentials
        What the settings were made of, for clients that are set up in another way.
    """

    servers: tuple[tuple[str, int], ...]
    settings: Mapping[str, Any] = field(repr=False)
    patience_seconds: float = _PATIENCE_SECONDS
    options: Mapping[str, str] = field(default_factory=dict, repr=False)
    credentials: Credentials = field(default_factory=Credentials, repr=False)

    @property
    def url(self) -> str:
        """The address without its options."""
        return "kafka://" + ",".join(f"{host}:{port}" for host, port in self.servers)

    @classmethod
    def parse(
        cls,
        url: str,
        options: Mapping[str, str],
        credentials: Credentials,
        patience_seconds: float = _PATIENCE_SECONDS,
    ) -> KafkaAddress:
        """Read a URL such as ``kafka://one:9092,two:9092?security_protocol=SSL``.

        Raises
        ------
        InputError
            When the URL or an option is wrong; the message says what is allowed.
        """
        # Not urlsplit: it refuses a list of servers one of which is an IPv6 address.
        rest, _, query = url.partition("://")[2].partition("?")
        listed = rest.partition("/")[0]
        if "@" in listed:
            raise InputError(
                "kafka URL: it holds a user name or password; set RIVERRUN_KAFKA_USERNAME and "
                "RIVERRUN_KAFKA_PASSWORD instead"
            )
        servers = tuple(_server(url, text) for text in listed.split(","))
        chosen = {**dict(parse_qsl(query)), **options}
        security = security_settings(chosen, credentials)
        settings = {
            "bootstrap_servers": [f"{host}:{port}" for host, port in servers],
            "bootstrap_timeout_ms": int(_BOOTSTRAP_SECONDS * 1000),
            "reconnect_backoff_max_ms": 2_000,
            **security,
        }
        return cls(servers, settings, patience_seconds, chosen, credentials)

    def reach(self) -> None:
        """Raise LogUnreachableError where none of the servers answers within some seconds."""
        failures, refusals = [], []
        for host, port in self.servers:
            try:
                socket.create_connection((host, port), _CONNECT_SECONDS).close()
            except OSError as error:
                failures.append(f"{host}:{port}: {error.strerror or error}")
                continue
            if (refused := first_contact(host, port, self.settings)) is None:
                return
            refusals.append(f"{host}:{port}: {refused}")
        if refusals:
            raise LogUnreachableError(f"Kafka at {'; '.join(refusals)}")
        raise LogUnreachableError(
            f"Kafka does not answer at {'; '.join(failures)}. Check that the broker runs, that "
            "host and port in stream.broker are right, and that no firewall is between"
        )

    @contextmanager
    def translated(self, doing: str) -> Iterator[None]:
        """Turn errors of kafka-python into errors that say what to do."""
        try:
            yield
        except kafka_errors.KafkaError as error:
            raise self.translate(error, doing) from error
        except OSError as error:
            raise LogUnreachableError(f"{self.url}: {doing}: {error}") from error

    def translate(self, error: BaseException, doing: str) -> LogError:
        """Return the error of ours that says the same."""
        text = f"{self.url}: {doing}: {type(error).__name__}: {error}"
        if (refused := refusal(error)) is not None:
            return LogUnreachableError(f"{self.url}: {doing}: {refused}")
        if isinstance(error, kafka_errors.AuthorizationError):
            return LogError(f"{text}. The broker forbids this: ask for the missing permission")
        if isinstance(error, kafka_errors.RetriableError):
            return LogUnreachableError(
                f"{text}. The broker did not answer in time: check that it runs, and that the "
                "address which it advertises can be reached from here"
            )
        return LogError(text)


def quiet_client() -> None:
    """Let kafka-python log errors only: it tells of each reconnection at level warning.

    A level that somebody has set on its logger stays as it is, but never where passwords and tokens
    would be written: at level debug it shows each request, those of SASL among them.
    """
    logger = logging.getLogger("kafka")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.CRITICAL)
    for name in ("kafka.net.connection", "kafka.net.sasl", "kafka.protocol"):
        told = logging.getLogger(name)
        if told.level < logging.INFO and logger.level < logging.INFO:
            told.setLevel(logging.INFO)


def _server(url: str, text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":") if ":" in text.rpartition("]")[2] else (text, "", "9092")
    host = host.strip("[]")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise InputError(
            f"kafka URL {url!r}: found server {text!r}; write kafka://host:9092,other:9092"
        )
    return host, int(port)
