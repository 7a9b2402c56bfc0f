"""Bearer tokens of an OpenID Connect issuer: who they are of, and which role they give.

Only signatures by a private key are known here, and only those that the configuration names; what
the token's own header says chooses among them and adds none.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

import jwt

from serve.api.auth.caller import Caller
from serve.api.auth.jwks import IssuerUnreachableError, PublicKeys
from serve.api.auth.refusal import Refusal, issuer_away, not_accepted, without_role
from serve.api.auth.roles import Role
from stream.api_sections import OidcSection

_LONGEST = 8_192
_REMEMBERED = 1_000
_NAME_MAX = 200


class Oidc:
    """Checks tokens.

    Parameters
    ----------
    section
        The section ``[oidc]``, with an issuer.
    keys
        The issuer's keys.
    clock
        Tells seconds since the epoch.
    """

    def __init__(
        self,
        section: OidcSection,
        keys: PublicKeys | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._section = section
        self._keys = keys or PublicKeys(section.issuer or "", section.jwks_url)
        self._clock = clock
        self._leeway = section.leeway / 1000
        self._known: OrderedDict[bytes, Caller] = OrderedDict()
        self._known_of = 0

    async def caller(self, token: str) -> Caller | Refusal:
        """Return who a token is of, or why it does not count."""
        if len(token) > _LONGEST:
            return _wrong(f"it is longer than {_LONGEST:,} characters")
        digest = sha256(token.encode("utf-8", "replace")).digest()
        if (known := self._remembered(digest)) is not None:
            return known
        try:
            claims = await self._claims(token)
        except IssuerUnreachableError as error:
            return issuer_away(f"the token cannot be checked now: {error}")
        except jwt.ExpiredSignatureError:
            return not_accepted("expired", "the token is over; get a new one")
        except jwt.PyJWTError as error:
            return _wrong(str(error))
        found = self._caller(claims)
        if isinstance(found, Caller):
            self._known[digest] = found
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return found

    def _remembered(self, digest: bytes) -> Caller | None:
        """Return the caller of a token that was checked with the keys of now and is not over."""
        if self._known_of != self._keys.changes:
            self._known.clear()
            self._known_of = self._keys.changes
        known = self._known.get(digest)
        if known is not None and (known.expires_at or 0) + self._leeway <= self._clock():
            del self._known[digest]
            return None
        return known

    async def _claims(self, token: str) -> dict[str, Any]:
        head = jwt.get_unverified_header(token)
        algorithm = head.get("alg")
        if algorithm not in self._section.algorithms:
            allowed = ", ".join(self._section.algorithms)
            raise jwt.InvalidAlgorithmError(f"it is signed by {algorithm!r}, not by {allowed}")
        key = await self._keys.find(head.get("kid"))
        if key is None:
            raise jwt.InvalidKeyError(f"the issuer has no key {str(head.get('kid'))[:100]!r}")
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=self._section.audience,
            issuer=self._section.issuer,
            leeway=self._leeway,
            options={"require": ["exp", "iss", "aud"]},
        )
        return claims

    def _caller(self, claims: Mapping[str, Any]) -> Caller | Refusal:
        said = claims.get(self._section.name_claim)
        name = "_".join(said.split())[:_NAME_MAX] if isinstance(said, str) else ""
        if not name or not name.isprintable():
            return _wrong(f"its claim {self._section.name_claim!r} names nobody")
        given = values_of(claims, self._section.role_claim)
        for role in reversed(Role):
            if given & set(getattr(self._section, role.label)):
                return Caller(name, role, "oidc", f"oidc {name}", float(claims["exp"]))
        return without_role(name, self._section.role_claim)


def values_of(claims: Mapping[str, Any], claim: str) -> frozenset[str]:
    """Return the texts of a claim: a list, or one text in which spaces divide them.

    Examples
    --------
    >>> sorted(values_of({"realm": {"roles": ["a", "b"]}}, "realm.roles"))
    ['a', 'b']
    >>> sorted(values_of({"https://x.example/scope": "a b"}, "https://x.example/scope"))
    ['a', 'b']
    """
    found: Any = claims.get(claim)
    if found is None:
        found = claims
        for name in claim.split("."):
            found = found.get(name) if isinstance(found, Mapping) else None
    if isinstance(found, str):
        return frozenset(found.split())
    if isinstance(found, list):
        return frozenset(value for value in found if isinstance(value, str))
    return frozenset()


def _wrong(detail: str) -> Refusal:
    return not_accepted("token", f"the token does not count: {detail}")
