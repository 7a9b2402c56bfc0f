"""Header fields that every answer carries, so that a browser does nothing clever with it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Fields = Sequence[tuple[bytes, bytes]]

_ALWAYS: Fields = (
    # What is sent is what it says it is.
    (b"x-content-type-options", b"nosniff"),
    # An answer of the API is no page: it loads nothing, runs nothing and stands in no frame.
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)
_OVER_TLS: Fields = (
    *_ALWAYS,
    (b"strict-transport-security", b"max-age=31536000"),
)


def with_security(headers: Iterable[tuple[bytes, bytes]], scheme: str) -> list[tuple[bytes, bytes]]:
    """Return an answer's headers with those that are missing; a page may have brought its own.

    Examples
    --------
    >>> found = with_security([(b"referrer-policy", b"same-origin")], "http")
    >>> [value for name, value in found if name == b"referrer-policy"]
    [b'same-origin']
    """
    found = list(headers)
    names = {name for name, _ in found}
    wanted = _OVER_TLS if scheme == "https" else _ALWAYS
    found += [field for field in wanted if field[0] not in names]
    return found
