"""TLS and SASL: from options and credentials to what kafka-python is given."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from stream.errors import InputError
from stream.kafka_section import KafkaSection, Mechanism, SecurityProtocol
from stream.logs.kafka_tokens import Fetch, Tokens, client_credentials, own_provider

_PROTOCOLS = get_args(SecurityProtocol)
_MECHANISMS = get_args(Mechanism)
_OPTIONS = tuple(name for name in KafkaSection.model_fields if name != "patience")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What proves to a cluster who we are; none of it belongs in a file of settings.

    Parameters
    ----------
    username, password
        For SASL by PLAIN or SCRAM.
    client_secret
        For the token endpoint of OAUTHBEARER.
    key_password
        Of ``ssl_keyfile``, where that is encrypted.
    """

    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    client_secret: str | None = field(default=None, repr=False)
    key_password: str | None = field(default=None, repr=False)


class Hidden(str):
    """A secret that kafka-python's debug lines show as ``***``: they print whole configurations."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def security_settings(options: Mapping[str, str], credentials: Credentials) -> dict[str, Any]:
    """Return the settings of every client of kafka-python.

    Raises
    ------
    InputError
        When an option, a file or a secret is wrong or missing; the message says what is allowed.
    """
    for name in options:
        if name not in _OPTIONS:
            raise InputError(f"kafka option {name!r} is not known; use {', '.join(_OPTIONS)}")
    has_tokens = "token_url" in options or "token_provider" in options
    default = (
        "SASL_SSL"
        if credentials.username or has_tokens
        else "SSL"
        if "ssl_cafile" in options
        else "PLAINTEXT"
    )
    protocol = options.get("security_protocol", default)
    _refuse_other("security_protocol", protocol, _PROTOCOLS)
    settings: dict[str, Any] = {"security_protocol": protocol}
    if protocol.endswith("SSL"):
        settings["ssl_context"] = _tls(options, credentials)
    elif unused := [name for name in options if name.startswith("ssl_")]:
        raise InputError(
            f"kafka option {unused[0]} has no meaning over {protocol}: set security_protocol to "
            "SSL or SASL_SSL, or leave it out"
        )
    if protocol.startswith("SASL"):
        settings |= _sasl(options, credentials, has_tokens)
    return settings


def _refuse_other(name: str, found: str, allowed: tuple[str, ...]) -> None:
    if found not in allowed:
        raise InputError(f"kafka option {name}: found {found!r}; use {', '.join(allowed)}")


def _tls(options: Mapping[str, str], credentials: Credentials) -> ssl.SSLContext:
    """Return a context that checks the broker's certificate and its name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if (authority := options.get("ssl_cafile")) is None:
        context.load_default_certs()
    else:
        # Not beside the system's: who names an authority trusts that one alone.
        with _reading("ssl_cafile", authority):
            context.load_verify_locations(authority)
    certificate, key = options.get("ssl_certfile"), options.get("ssl_keyfile")
    if certificate is None and key is not None:
        raise InputError("kafka option ssl_keyfile: found no ssl_certfile; they belong together")
    if certificate is not None:
        # A function: without a password OpenSSL would ask the terminal for one.
        with _reading("ssl_certfile and ssl_keyfile", f"{certificate}, {key or certificate}"):
            context.load_cert_chain(certificate, key, lambda: credentials.key_password or "")
    return context


class _reading:  # noqa: N801  # used as a statement
    """Turns what OpenSSL says of a file into a message that names the option and the file."""

    def __init__(self, option: str, file: str) -> None:
        self._option, self._file = option, file

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, OSError | ValueError):  # ssl.SSLError is an OSError
            why = str(error).partition(" (_ssl")[0]
            raise InputError(
                f"kafka option {self._option}: cannot use {self._file} ({why}); give "
                "readable PEM files that belong together, and RIVERRUN_KAFKA_KEY_PASSWORD where "
                "the key has a password"
            ) from None


def _sasl(options: Mapping[str, str], credentials: Credentials, has_tokens: bool) -> dict[str, Any]:
    default = "OAUTHBEARER" if has_tokens else "SCRAM-SHA-512"
    mechanism = options.get("sasl_mechanism", default)
    _refuse_other("sasl_mechanism", mechanism, _MECHANISMS)
    if mechanism == "OAUTHBEARER":
        tokens = Tokens(_token_source(options, credentials))
        return {"sasl_mechanism": mechanism, "sasl_oauth_token_provider": tokens}
    if has_tokens:
        raise InputError(f"kafka option token_url or token_provider: not for {mechanism}")
    if not credentials.username or not credentials.password:
        raise InputError(
            "kafka with SASL needs RIVERRUN_KAFKA_USERNAME and RIVERRUN_KAFKA_PASSWORD"
        )
    return {
        "sasl_mechanism": mechanism,
        "sasl_plain_username": credentials.username,
        "sasl_plain_password": Hidden(credentials.password),
    }


def _token_source(options: Mapping[str, str], credentials: Credentials) -> Fetch:
    url, provider = options.get("token_url"), options.get("token_provider")
    if (url is None) == (provider is None):
        found = "neither" if url is None else "both"
        raise InputError(
            f"kafka with OAUTHBEARER: found {found}; give one of token_url and token_provider"
        )
    if provider is not None:
        return own_provider(provider)
    client = options.get("token_client_id")
    if client is None or credentials.client_secret is None:
        raise InputError(
            "kafka with token_url needs token_client_id and RIVERRUN_KAFKA_CLIENT_SECRET"
        )
    context = ssl.create_default_context()
    if (authority := options.get("ssl_cafile")) is not None:
        # Beside the system's: the issuer need not have its certificate from who signs brokers'.
        with _reading("ssl_cafile", authority):
            context.load_verify_locations(authority)
    return client_credentials(
        str(url), client, credentials.client_secret, options.get("token_scope"), context
    )
