"""Browser sessions: a signed cookie that any API process of the stream can check.

Nothing is kept on the server. The signature is made with a secret that all processes share and
with the hash of the key that signed in, so a session ends with its key wherever it is checked.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from hashlib import sha256

import msgspec

from serve.api.auth.caller import Caller
from serve.api.auth.keys import KeyRing, StoredKey
from serve.api.auth.roles import Role

_LONGEST = 2_000


class _Ticket(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """What a cookie says: until when, and either a key's id or who a token was of."""

    until: int
    key: str | None = None
    name: str | None = None
    role: int = 0


_decode = msgspec.msgpack.Decoder(_Ticket).decode


class Sessions:
    """Signs and checks the cookies of signed-in browsers.

    Parameters
    ----------
    secret
        Shared by all processes that serve the stream.
    seconds
        How long a session lasts.
    issuer
        The issuer and audience of tokens; a session that began with a token ends when they change.
    """

    def __init__(self, secret: bytes, seconds: float, issuer: str = "") -> None:
        self._secret = hmac.new(secret, b"riverrun session", sha256).digest()
        self._seconds = seconds
        self._issuer = issuer

    def begin(self, caller: Caller, key: StoredKey | None, now: float) -> tuple[str, float]:
        """Return the cookie of a caller that has shown a key or a token, and when it ends."""
        until = int(now + self._seconds)
        if caller.expires_at is not None:
            until = min(until, int(caller.expires_at))
        if key is None:
            ticket = _Ticket(until, name=caller.name, role=int(caller.role))
        else:
            ticket = _Ticket(until, key=key.id)
        payload = msgspec.msgpack.encode(ticket)
        return f"{_text(payload)}.{_text(self._sign(payload, key))}", until

    def check(self, cookie: str, ring: KeyRing | None, now: float) -> Caller | None:
        """Return whose cookie it is; None where it is nobody's, or over.

        Parameters
        ----------
        cookie
            Its value.
        ring
            The keys as they are now.
        now
            Seconds since the epoch.
        """
        payload, _, signature = cookie[:_LONGEST].partition(".")
        try:
            data, signed = _bytes(payload), _bytes(signature)
            ticket = _decode(data)
        except (ValueError, binascii.Error, msgspec.MsgspecError):
            return None
        key = None
        if ticket.key is not None:
            key = None if ring is None else ring.by_id(ticket.key)
            if key is None:
                return None
        if not hmac.compare_digest(signed, self._sign(data, key)) or ticket.until <= now:
            return None
        if key is not None:
            if key.is_expired(now):
                return None
            return Caller(key.name, key.role, "session", key.id, ticket.until)
        name = ticket.name or ""
        return Caller(name, Role(ticket.role), "session", f"oidc {name}", ticket.until)

    def _sign(self, payload: bytes, key: StoredKey | None) -> bytes:
        of = f"token {self._issuer}" if key is None else f"key {key.hash}"
        return hmac.new(self._secret, of.encode() + b"\0" + payload, sha256).digest()


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
