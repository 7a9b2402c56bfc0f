"""HTTPS: the certificate and its key, checked before anything else is opened."""

from __future__ import annotations

import ssl
from pathlib import Path

from stream.api_sections import ApiSection
from stream.errors import ConfigError, Problem


def tls_context(settings: ApiSection) -> ssl.SSLContext | None:
    """Return what HTTPS is served with; None for plain HTTP.

    Raises
    ------
    ConfigError
        Where certificate or key cannot be read, or do not belong together.
    """
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    problems = [
        Problem(name, repr(path), f"it must be a readable file: {reason}")
        for name, path in (("api.tls_cert", settings.tls_cert), ("api.tls_key", settings.tls_key))
        if (reason := _unreadable(path)) is not None
    ]
    if problems:
        raise ConfigError("TLS", problems)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # A key with a password would be asked for on the terminal, which a service has not.
        context.load_cert_chain(settings.tls_cert, settings.tls_key, password=_no_password)
    except _PasswordNeededError:
        problem = Problem("api.tls_key", repr(settings.tls_key), "a key without password is needed")
        raise ConfigError("TLS", [problem]) from None
    except ssl.SSLError as error:
        raise ConfigError("TLS", [_mismatch(settings, error)]) from None
    return context


class _PasswordNeededError(Exception):
    pass


def _no_password() -> str:
    raise _PasswordNeededError


def _unreadable(path: str) -> str | None:
    try:
        Path(path).read_bytes()
    except OSError as error:
        return error.strerror or str(error)
    return None


def _mismatch(settings: ApiSection, error: ssl.SSLError) -> Problem:
    if error.reason == "KEY_VALUES_MISMATCH":
        allowed = f"the key of the certificate {settings.tls_cert!r} is expected, and this is not"
        return Problem("api.tls_key", repr(settings.tls_key), allowed)
    reason = error.reason or str(error)
    found = f"{settings.tls_cert!r} and {settings.tls_key!r}"
    return Problem("api.tls_cert, api.tls_key", found, f"both in PEM are expected ({reason})")
