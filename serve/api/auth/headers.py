"""Header fields that every answer carries, so that a browser does nothing clever with it."""

from __future__ import annotations

from collections.abc import Sequence

Fields = Sequence[tuple[bytes, bytes]]

_ALWAYS: Fields = (
    # What is sent is what it says it is.
    (b"x-content-type-options", b"nosniff"),
    # An answer of the API is no page: it loads nothing, runs nothing and stands in no frame.
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
)
_OVER_TLS: Fields = (
    *_ALWAYS,
    (b"strict-transport-security", b"max-age=31536000"),
)
_NAMES = frozenset(name for name, _ in _OVER_TLS)


def with_security(headers: Fields, scheme: str) -> list[tuple[bytes, bytes]]:
    """Return an answer's headers with those that are missing; a page may have brought its own.

    Examples
    --------
    >>> found = with_security([(b"referrer-policy", b"same-origin")], "http")
    >>> [value for name, value in found if name == b"referrer-policy"]
    [b'same-origin']
    """
    wanted = _OVER_TLS if scheme == "https" else _ALWAYS
    own = [name for name, _ in headers if name in _NAMES]
    if own:
        wanted = [field for field in wanted if field[0] not in own]
    return [*headers, *wanted]
