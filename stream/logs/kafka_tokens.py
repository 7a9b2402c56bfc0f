"""Tokens for SASL OAUTHBEARER: by OAuth's client credentials, or from somebody's own function."""

from __future__ import annotations

import importlib
import json
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import urllib3
from kafka import errors as kafka_errors
from kafka.net.sasl.oauth import AbstractTokenProvider
from urllib3.exceptions import HTTPError

from stream.destinations import why_forbidden
from stream.egress import Outside
from stream.errors import InputError

_SECONDS = 5.0
_LARGEST_ANSWER = 64 * 1024
_SHARE_OF_LIFE = 0.8
"""A token is asked for anew when this much of its life is over, as Kafka's own client does."""

_SHORTEST_LIFE, _LONGEST_LIFE = 1.0, 86_400.0
_DEFAULT_LIFE = 300.0
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})

Fetch = Callable[[], tuple[str, float]]


class NoTokenError(kafka_errors.KafkaConnectionError):  # type: ignore[misc]  # no types there
    """No token could be had, with why; to kafka-python a connection that failed."""


class Tokens(AbstractTokenProvider):  # type: ignore[misc]  # kafka-python has no types
    """Hands out a token, and fetches the next one before that is over.

    Parameters
    ----------
    fetch
        Returns a token and the seconds it lasts; raises NoTokenError with what to do.
    clock
        Seconds that only grow.

    Notes
    -----
    It is called on the thread on which a client does all its input and output, so a fetch has to
    end in some seconds. Several clients share one, and so its token.
    """

    def __init__(self, fetch: Fetch, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._token: str | None = None
        self._until = float("-inf")

    def token(self) -> str:
        """Return a token that is good for a while."""
        return self.token_and_life()[0]

    def token_and_life(self) -> tuple[str, float]:
        """Return a token and for how many seconds, so that 4/5 of them on there is a new one."""
        with self._lock:
            if self._token is None or self._clock() >= self._until:
                self._token, life = self._fetch()
                bounded = min(max(life, _SHORTEST_LIFE), _LONGEST_LIFE)
                self._until = self._clock() + _SHARE_OF_LIFE * bounded
            return self._token, (self._until - self._clock()) / _SHARE_OF_LIFE

    def __repr__(self) -> str:
        return "Tokens(hidden)"


def client_credentials(
    url: str, client_id: str, secret: str, scope: str | None, ssl_context: Any
) -> Fetch:
    """Return what asks a token endpoint (RFC 6749, section 4.4).

    Raises
    ------
    InputError
        When the URL is not https and not of this machine: the secret would go in the clear.
    """
    parts = urlsplit(url)
    if parts.username or parts.password:
        raise InputError("kafka.token_url: it holds a user name or password; use token_client_id")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOCAL):
        raise InputError(
            f"kafka.token_url: found {url!r}; use https (http only for an issuer on this machine)"
        )
    if (reason := why_forbidden(parts.hostname or "")) is not None:
        raise InputError(f"kafka.token_url: nothing is sent to {parts.hostname}: {reason}")
    fields = {"grant_type": "client_credentials"} | ({} if scope is None else {"scope": scope})
    headers = urllib3.make_headers(basic_auth=f"{client_id}:{secret}")

    def fetch() -> tuple[str, float]:
        try:
            with (
                Outside(ssl_context=ssl_context) as pool,
                pool.request(
                    "POST", url, fields=fields, headers=headers, encode_multipart=False,
                    timeout=_SECONDS, redirect=False, retries=False, preload_content=False,
                ) as answer,
            ):  # fmt: skip
                status, body = answer.status, answer.read(_LARGEST_ANSWER)
        except HTTPError as error:
            raise _no_token(url, f"it cannot be reached ({type(error).__name__})") from error
        return _token_in(url, status, body)

    return fetch


def own_provider(name: str) -> Fetch:
    """Return what calls somebody's function, named as ``package.module:function``.

    Raises
    ------
    InputError
        When there is no such function.
    """
    module, _, attribute = name.partition(":")
    try:
        function = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(
            f"kafka.token_provider: found {name!r} ({error}); write package.module:function, and "
            "let Python find the package"
        ) from error

    def fetch() -> tuple[str, float]:
        try:
            found = function()
        except Exception as error:
            # Somebody's own code: whatever it says might hold the secret that it works with.
            raise _no_token(name, f"it raised {type(error).__name__}") from error
        token, life = found if isinstance(found, tuple) and len(found) == 2 else (found, None)
        return _checked(name, token, life)

    return fetch


def _token_in(url: str, status: int, body: bytes) -> tuple[str, float]:
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    found = found if isinstance(found, dict) else {}
    if status != 200:
        said = found.get("error")
        code = f", {said}" if isinstance(said, str) and said.isidentifier() else ""
        raise _no_token(url, f"it answered {status}{code}")
    return _checked(url, found.get("access_token"), found.get("expires_in"))


def _checked(where: str, token: object, life: object) -> tuple[str, float]:
    if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
        raise _no_token(where, "it gave no token")
    if isinstance(life, bool) or not isinstance(life, int | float):
        life = _DEFAULT_LIFE
    return token, float(life)


def _no_token(where: str, why: str) -> NoTokenError:
    return NoTokenError(
        f"no token for Kafka from {where}: {why}. Check kafka.token_url, kafka.token_client_id and "
        "RIVERRUN_KAFKA_CLIENT_SECRET, or kafka.token_provider"
    )
