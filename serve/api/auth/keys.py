"""API keys: made at random, kept as hashes, found in constant time.

A key is ``rrk_<id>_<secret>``: the id, which is no secret, finds its row, and the secret has 256
random bits. So its SHA-256 can be kept without salt or stretching: there is no list of likely
secrets to try against it, and checking one costs a microsecond, not the tens of milliseconds that
scrypt would take from every prediction.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from hashlib import sha256

from serve.api.auth.caller import Caller
from serve.api.auth.roles import Role

_ID = slice(len("rrk_"), len("rrk_") + 8)
_NOBODY = bytes(32)

LONGEST = 256
"""Characters of a key at most; a longer one is nobody's."""


@dataclass(frozen=True)
class StoredKey:
    """What is kept of a key.

    Parameters
    ----------
    id
        Stands in the key itself.
    name
        Whose it is; several keys may have the same, so that one can follow another.
    role
        What it may do.
    hash
        ``sha256:`` and the digest of the whole key, in hexadecimal digits.
    created
        When it was made.
    expires
        When it ends by itself, with its time zone; None for never.
    """

    id: str
    name: str
    role: Role
    hash: str
    created: datetime
    expires: datetime | None = None

    def is_expired(self, now: float) -> bool:
        """Return whether it has ended, at a time in seconds since the epoch."""
        return self.expires is not None and self.expires.timestamp() <= now

    @cached_property
    def caller(self) -> Caller:
        """Whoever shows it."""
        ends = None if self.expires is None else self.expires.timestamp()
        return Caller(self.name, self.role, "key", self.id, ends)


def new_key(taken: Iterable[str] = ()) -> tuple[str, str]:
    """Return a new key and its id, which is none of those that are taken."""
    used = set(taken)
    while (key_id := secrets.token_hex(4)) in used:
        pass
    return f"rrk_{key_id}_{secrets.token_urlsafe(32)}", key_id


def hash_of(key: str) -> str:
    """Return what is kept of a key.

    Examples
    --------
    >>> hash_of("abc")[:14]
    'sha256:ba7816b'
    """
    return "sha256:" + sha256(key.encode("utf-8", "replace")).hexdigest()


def _digest_kept(key: StoredKey) -> bytes:
    return bytes.fromhex(key.hash.removeprefix("sha256:"))


class KeyRing:
    """Keys to look a caller's key up in.

    Parameters
    ----------
    keys
        As the file has them.
    fixed
        Keys whose ids do not stand in them: those that the environment gives.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> key, key_id = new_key()
    >>> made = datetime(2026, 1, 1, tzinfo=UTC)
    >>> ring = KeyRing([StoredKey(key_id, "app", Role.VIEWER, hash_of(key), made)])
    >>> ring.find(key).name, ring.find(key[:-1] + "!")
    ('app', None)
    """

    def __init__(self, keys: Iterable[StoredKey], fixed: Iterable[StoredKey] = ()) -> None:
        self._fixed = tuple((_digest_kept(key), key) for key in fixed)
        self._by_id = {key.id: key for key in (*keys, *(key for _, key in self._fixed))}
        self._digests = {key.id: _digest_kept(key) for key in self._by_id.values()}

    def __len__(self) -> int:
        return len(self._by_id)

    def find(self, key: str) -> StoredKey | None:
        """Return the row of a key, expired or not; None where it is nobody's."""
        if len(key) > LONGEST:
            return None
        digest, key_id = sha256(key.encode("utf-8", "replace")).digest(), key[_ID]
        # Compared with something in any case: how long it takes says nothing.
        if hmac.compare_digest(digest, self._digests.get(key_id, _NOBODY)):
            return self._by_id.get(key_id)
        for kept, one in self._fixed:
            if hmac.compare_digest(digest, kept):
                return one
        return None

    def by_id(self, key_id: str) -> StoredKey | None:
        """Return the row of an id, or None."""
        return self._by_id.get(key_id)
