"""HTTP to the outside: to configured hosts, over no redirect, and never to a forbidden address.

A name may lead to another address each time it is looked up, so addresses are checked where the
connection is made: all that the name has now, and the one that was connected to.
"""

from __future__ import annotations

import socket
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from stream.destinations import why_forbidden


class ForbiddenAddressError(HTTPError):
    """A host leads to an address that nothing is sent to."""


class _Checked:
    """Refuses forbidden addresses, before anything is sent."""

    host: str
    port: int
    _dns_host: str

    def _new_conn(self) -> socket.socket:
        try:
            found = socket.getaddrinfo(self._dns_host, self.port, type=socket.SOCK_STREAM)
        except OSError:
            found = []  # connecting says it better
        for *_, place in found:
            self._refuse(str(place[0]))
        made: socket.socket = super()._new_conn()  # type: ignore[misc]
        try:
            self._refuse(str(made.getpeername()[0]))
        except (OSError, ForbiddenAddressError):
            made.close()
            raise
        return made

    def _refuse(self, address: str) -> None:
        if (reason := why_forbidden(address)) is not None:
            raise ForbiddenAddressError(f"nothing is sent to {self.host} ({address}): {reason}")


class _HTTP(_Checked, HTTPConnection):
    pass


class _HTTPS(_Checked, HTTPSConnection):
    pass


class _HTTPPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _HTTP


class _HTTPSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _HTTPS


class Outside(urllib3.PoolManager):
    """Connections to one host, every one of them checked; proxies of the environment are not used.

    Examples
    --------
    >>> with Outside() as outside:
    ...     outside.request("GET", "http://169.254.169.254/latest/", retries=False)
    Traceback (most recent call last):
    stream.egress.ForbiddenAddressError: nothing is sent to 169.254.169.254 (169.254.169.254): ...
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(num_pools=1, maxsize=1, **options)
        self.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}
