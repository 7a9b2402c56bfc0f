"""What a request brings to say who it is, and where it comes from: its headers, read once."""

from __future__ import annotations

import ipaddress
from typing import NamedTuple
from urllib.parse import urlsplit

from starlette.types import Scope

COOKIE = "riverrun-session"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_FIELDS = {
    b"authorization": 0,
    b"x-api-key": 1,
    b"cookie": 2,
    b"origin": 3,
    b"host": 4,
    b"x-requested-with": 5,
}


class Credentials(NamedTuple):
    """The headers that matter here, as they came; None where they did not."""

    authorization: str | None
    api_key: str | None
    cookie: str | None
    origin: str | None
    host: str | None
    requested_with: str | None

    @property
    def session(self) -> str | None:
        """The session's cookie."""
        for part in (self.cookie or "").split(";"):
            name, _, value = part.strip().partition("=")
            if name == COOKIE:
                return value
        return None


def credentials_of(scope: Scope) -> Credentials:
    """Read a request's headers; of one that is repeated the first counts."""
    found: list[str | None] = [None] * 6
    for name, value in scope["headers"]:
        place = _FIELDS.get(name)
        if place is not None and found[place] is None:
            found[place] = value.decode("latin-1")
    return Credentials(*found)


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
