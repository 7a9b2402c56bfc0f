"""What a request brings to say who it is, and where it comes from: its headers, read once."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.types import Scope

COOKIE = "riverrun-session"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_NAMES = frozenset(
    {b"authorization", b"x-api-key", b"cookie", b"origin", b"host", b"x-requested-with"}
)


class Credentials:
    """The headers that matter here, as text; None where they did not come.

    Parameters
    ----------
    scope
        The request. Of a header that is repeated the first counts.
    """

    __slots__ = ("_found",)

    def __init__(self, scope: Scope) -> None:
        found: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            if name in _NAMES and name not in found:
                found[name] = value
        self._found = found

    def get(self, name: bytes) -> str | None:
        """Return a header by its name in lower case."""
        value = self._found.get(name)
        return None if value is None else value.decode("latin-1")

    @property
    def session(self) -> str | None:
        """The session's cookie."""
        for part in (self.get(b"cookie") or "").split(";"):
            name, _, value = part.strip().partition("=")
            if name == COOKIE:
                return value
        return None


def is_own_origin(origin: str, host: str | None) -> bool:
    """Return whether a page was loaded from where its request goes to.

    The scheme is not compared: behind a proxy that ends TLS only the browser knows it.

    Examples
    --------
    >>> is_own_origin("https://ml.example:8443", "ml.example:8443")
    True
    >>> is_own_origin("https://evil.example", "ml.example"), is_own_origin("null", "ml.example")
    (False, False)
    """
    try:
        return host is not None and urlsplit(origin).netloc.lower() == host.lower() != ""
    except ValueError:
        return False


@lru_cache(maxsize=1_024)
def is_local_name(host: str | None, own: str) -> bool:
    """Return whether a Host header can be of this machine, and of no name that others control.

    A page of any site can let its own name lead to 127.0.0.1 (DNS rebinding); its requests then
    carry that name.

    Parameters
    ----------
    host
        The header.
    own
        What ``api.host`` says.

    Examples
    --------
    >>> [is_local_name(h, "127.0.0.1") for h in ("localhost:8000", "[::1]:80", "evil.example")]
    [True, True, False]
    """
    if host is None:
        return True  # HTTP/1.0: no browser sends that
    name = host.rpartition(":")[0] if ":" in host and not host.endswith("]") else host
    name = name.strip("[]").lower().rstrip(".")
    # Nobody can register a name without a dot.
    if "." not in name.removesuffix(".localhost") or name == own.lower():
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
