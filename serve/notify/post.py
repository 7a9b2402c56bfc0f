"""Posting JSON to one configured address: bounded in time, never anywhere else."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from serve.notify.receiver import RefusedError, UndeliveredError
from stream.egress import ForbiddenAddressError, Outside
from stream.errors import ConfigError, Problem

_EXCERPT = 200
_REFUSALS = frozenset({400, 413, 415, 422})
_LONGEST_WAIT = 300.0


class Poster:
    """Posts to one address.

    A redirect is not followed: it could lead what is posted, and the token, to anybody.

    Parameters
    ----------
    url
        The address, from the configuration.
    timeout_seconds
        For connecting, and for each piece of the answer.
    authorization
        The header of that name.
    """

    def __init__(self, url: str, timeout_seconds: float, authorization: str | None = None) -> None:
        parts = urlsplit(url)
        self.place = f"{parts.scheme}://{parts.netloc}"
        self._url = url
        self._timeout = urllib3.Timeout(connect=timeout_seconds, read=timeout_seconds)
        self._pool = Outside()
        self._headers = {"Content-Type": "application/json", "User-Agent": _agent()}
        if authorization is not None:
            self._headers["Authorization"] = authorization

    def post(self, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Post a body, and wait until it is accepted.

        Raises
        ------
        UndeliveredError
            When it was not accepted; the message names the host alone, since paths may be secret.
        RefusedError
            When the body itself is at fault.
        """
        try:
            response = self._pool.request(
                "POST",
                self._url,
                body=body,
                headers=self._headers | dict(headers or {}),
                timeout=self._timeout,
                redirect=False,
                retries=False,
                preload_content=False,
            )
        except ForbiddenAddressError as error:
            raise UndeliveredError(f"{error}; correct the address in the configuration") from None
        except HTTPError as error:
            raise UndeliveredError(f"{self.place}: {self._without_path(error)}") from None
        try:
            if not 200 <= response.status < 300:
                raise self._failure(response)
        finally:
            response.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._pool.clear()

    def _failure(self, response: urllib3.BaseHTTPResponse) -> UndeliveredError:
        status = response.status
        if 300 <= status < 400:
            elsewhere = urlsplit(response.headers.get("Location", "")).netloc or "the same host"
            return UndeliveredError(
                f"{self.place} answers {status} and points to {elsewhere}: redirects are not "
                "followed; put the right address into the configuration"
            )
        try:
            said = response.read1(_EXCERPT).decode(errors="replace")
        except (HTTPError, OSError):
            said = ""
        text = " ".join("".join(c if c.isprintable() else " " for c in said).split())
        message = f"{self.place} answers {status}{f': {text}' if text else ''}"
        if status in _REFUSALS:
            return RefusedError(message)
        wait = response.headers.get("Retry-After", "")
        seconds = min(float(wait), _LONGEST_WAIT) if wait.isdecimal() else 0.0
        return UndeliveredError(message, seconds)

    def _without_path(self, error: HTTPError) -> str:
        text = str(error).rpartition("): ")[2] or type(error).__name__
        path = self._url.removeprefix(self.place)
        return text.replace(path, "/...") if len(path) > 1 else text


def authorization_of(token: str | None, name: str) -> str | None:
    """Return the header ``Authorization`` for a token.

    Parameters
    ----------
    token
        A bearer token, or the whole header where it has a scheme: ``Basic dXNlcjpwYXNz``.
    name
        Of the environment's variable, for the message.

    Raises
    ------
    ConfigError
        When it cannot stand in a header.

    Examples
    --------
    >>> authorization_of("abc", "TOKEN"), authorization_of("Basic YTpi", "TOKEN")
    ('Bearer abc', 'Basic YTpi')
    """
    if token is None:
        return None
    if not (token.isascii() and token.isprintable()):
        problem = Problem(name, "a text that no header can hold", "printable ASCII, in one line")
        raise ConfigError("environment", [problem])
    return token if " " in token else f"Bearer {token}"


def _agent() -> str:
    try:
        return f"riverrun/{version('riverrun')}"
    except PackageNotFoundError:
        return "riverrun"
