"""Listening on an address, or saying what keeps one from it."""

from __future__ import annotations

import errno
import socket

from serve.api.errors import CannotListenError, PortInUseError

_BACKLOG = 2048


def listen(host: str, port: int, keys: str = "api.host and api.port") -> socket.socket:
    """Return a socket that listens; port 0 takes a free one.

    Parameters
    ----------
    host, port
        Where.
    keys
        Of the configuration, to correct where it cannot be had.

    Raises
    ------
    PortInUseError, CannotListenError
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        reason = f"the address is not known ({error})"
        raise CannotListenError(host, port, reason, keys) from None
    # "localhost" may be both; IPv4 is what everybody types.
    family, kind, protocol, _, address = min(found, key=lambda one: one[0] != socket.AF_INET)
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)  # now: two that only bind would not notice each other
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUseError(host, port, keys) from None
        raise CannotListenError(host, port, error.strerror or str(error), keys) from None
    return listener
