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

_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_OPTIONS = ("security_protocol", "sasl_mechanism", "ssl_cafile", "ssl_certfile", "ssl_keyfile")
_CONNECT_SECONDS = 3.0
_BOOTSTRAP_SECONDS = 6.0


@dataclass(frozen=True, slots=True)
class KafkaAddress:
    """Where a cluster is and how to speak to it.

    Parameters
    ----------
    servers
        Pairs of host and port; any of them leads to the whole cluster.
    settings
        What every client of kafka-python is given. Secrets are in it, so it is never shown.
    """

    servers: tuple[tuple[str, int], ...]
    settings: Mapping[str, Any] = field(repr=False)

    @property
    def url(self) -> str:
        """The address without its options."""
        return "kafka://" + ",".join(f"{host}:{port}" for host, port in self.servers)

    @classmethod
    def parse(
        cls, url: str, options: Mapping[str, str], username: str | None, password: str | None
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
        security = _security({**dict(parse_qsl(query)), **options}, username, password)
        settings = {
            "bootstrap_servers": [f"{host}:{port}" for host, port in servers],
            "bootstrap_timeout_ms": int(_BOOTSTRAP_SECONDS * 1000),
            "reconnect_backoff_max_ms": 2_000,
            **security,
        }
        return cls(servers, settings)

    def reach(self) -> None:
        """Raise LogUnreachableError where none of the servers answers within some seconds."""
        failures = []
        for host, port in self.servers:
            try:
                socket.create_connection((host, port), _CONNECT_SECONDS).close()
            except OSError as error:
                failures.append(f"{host}:{port}: {error.strerror or error}")
            else:
                return
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

    @contextmanager
    def connecting(self) -> Iterator[None]:
        """Turn a first contact that fails into an error: kafka-python does not say why it did."""
        try:
            with self.translated("connecting"):
                yield
        except LogUnreachableError as error:
            protocol = self.settings["security_protocol"]
            raise LogUnreachableError(
                f"{self.url}: the port answers, but no session with Kafka came about over "
                f"{protocol}. {_FIRST_CONTACT[protocol]}"
            ) from error

    def translate(self, error: BaseException, doing: str) -> LogError:
        """Return the error of ours that says the same."""
        text = f"{self.url}: {doing}: {type(error).__name__}: {error}"
        if isinstance(error, _AUTHENTICATION_ERRORS):
            return LogUnreachableError(
                f"{text}. The broker refuses these credentials: check {_CREDENTIALS}"
            )
        if isinstance(error, kafka_errors.AuthorizationError):
            return LogError(f"{text}. The broker forbids this: ask for the missing permission")
        if isinstance(error, kafka_errors.RetriableError):
            return LogUnreachableError(
                f"{text}. The broker did not answer in time: check that it runs, and that the "
                "address which it advertises can be reached from here"
            )
        return LogError(text)


_CREDENTIALS = "RIVERRUN_KAFKA_USERNAME, RIVERRUN_KAFKA_PASSWORD and sasl_mechanism"
_FIRST_CONTACT = {
    "PLAINTEXT": "Check that this is Kafka's port and not one that wants TLS or SASL (then set "
    "security_protocol), and that the broker is not hanging",
    "SSL": "Check ssl_cafile, ssl_certfile and ssl_keyfile, and that this is Kafka's port for TLS",
    "SASL_PLAINTEXT": f"Check {_CREDENTIALS}, and that the port wants SASL without TLS",
    "SASL_SSL": f"Check {_CREDENTIALS}, ssl_cafile, and that the port wants SASL with TLS",
}

_AUTHENTICATION_ERRORS = (
    kafka_errors.SaslAuthenticationFailedError,
    kafka_errors.UnsupportedSaslMechanismError,
    kafka_errors.IllegalSaslStateError,
)


def quiet_client() -> None:
    """Let kafka-python log errors only: it tells of each reconnection at level warning.

    A level that somebody has set on its logger stays as it is.
    """
    logger = logging.getLogger("kafka")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.CRITICAL)


def _server(url: str, text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":") if ":" in text.rpartition("]")[2] else (text, "", "9092")
    host = host.strip("[]")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise InputError(
            f"kafka URL {url!r}: found server {text!r}; write kafka://host:9092,other:9092"
        )
    return host, int(port)


def _security(
    options: Mapping[str, str], username: str | None, password: str | None
) -> dict[str, Any]:
    for name in options:
        if name not in _OPTIONS:
            raise InputError(f"kafka option {name!r} is not known; use {', '.join(_OPTIONS)}")
    default = "SASL_SSL" if username else "SSL" if "ssl_cafile" in options else "PLAINTEXT"
    protocol = options.get("security_protocol", default)
    if protocol not in _PROTOCOLS:
        raise InputError(
            f"kafka option security_protocol: found {protocol!r}; use {', '.join(_PROTOCOLS)}"
        )
    settings: dict[str, Any] = {**options, "security_protocol": protocol}
    if protocol.startswith("SASL"):
        settings |= _sasl(options.get("sasl_mechanism", "SCRAM-SHA-512"), username, password)
    return settings


def _sasl(mechanism: str, username: str | None, password: str | None) -> dict[str, str]:
    if mechanism not in _MECHANISMS:
        raise InputError(
            f"kafka option sasl_mechanism: found {mechanism!r}; use {', '.join(_MECHANISMS)}"
        )
    if not username or not password:
        raise InputError(
            "kafka with SASL needs RIVERRUN_KAFKA_USERNAME and RIVERRUN_KAFKA_PASSWORD"
        )
    return {
        "sasl_mechanism": mechanism,
        "sasl_plain_username": username,
        "sasl_plain_password": password,
    }
