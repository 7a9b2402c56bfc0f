"""Seals: a digest on every blob of the store, and a signature where a secret is set."""

from __future__ import annotations

import hmac
from hashlib import sha256


def seal(data: bytes, place: str, secret: bytes | None) -> str:
    """Return the seal of a blob that belongs to one place.

    Parameters
    ----------
    data
        The blob.
    place
        Where it belongs; a blob that was moved elsewhere does not verify.
    secret
        Key of an HMAC-SHA256, or None for the plain SHA-256.

    Examples
    --------
    >>> seal(b"abc", "here", None) == seal(b"abc", "elsewhere", None)
    False
    """
    digest = sha256(place.encode() + b"\0")
    digest.update(data)
    plain = "sha256:" + digest.hexdigest()
    if secret is None:
        return plain
    return plain + " hmac:" + hmac.new(secret, plain.encode(), sha256).hexdigest()


def is_sealed(data: bytes, place: str, secret: bytes | None, found: str) -> bool:
    """Return whether a seal fits. With a secret, a blob without signature does not.

    Examples
    --------
    >>> is_sealed(b"abc", "here", b"key", seal(b"abc", "here", b"key"))
    True
    >>> is_sealed(b"abc", "here", b"key", seal(b"abc", "here", None))
    False
    """
    if secret is None:
        found = found.partition(" ")[0]
    return hmac.compare_digest(seal(data, place, secret), found)
