"""Who a request is of: keys, sessions and tokens, and what is refused before any of them counts."""

from __future__ import annotations

import time
from dataclasses import replace

from starlette.types import Scope

from serve.api.auth.caller import ANYBODY, Caller
from serve.api.auth.credentials import (
    SAFE_METHODS,
    Credentials,
    is_local_name,
    is_own_origin,
)
from serve.api.auth.key_watch import KeyWatch
from serve.api.auth.keys import StoredKey
from serve.api.auth.limits import Limit, Verdict
from serve.api.auth.oidc import Oidc
from serve.api.auth.refusal import (
    Refusal,
    from_elsewhere,
    not_accepted,
    nothing_brought,
    too_many_failures,
)
from serve.api.auth.session import Sessions
from stream.api_sections import ApiSection


class Access:
    """Tells who asks.

    Parameters
    ----------
    settings
        The section ``[api]``.
    keys
        The API's keys; None for none.
    oidc
        Checks tokens; None for none.
    sessions
        Signs and checks cookies; None where there are neither keys nor tokens.
    rate
        The limit on each caller's requests; None for none.
    failures
        The limit on wrong credentials by address.

    Attributes
    ----------
    is_open
        Whether nobody is asked who they are: then only loopback is listened on.
    """

    def __init__(
        self,
        settings: ApiSection,
        keys: KeyWatch | None = None,
        oidc: Oidc | None = None,
        sessions: Sessions | None = None,
        rate: Limit | None = None,
        failures: Limit | None = None,
    ) -> None:
        self.is_open = keys is None and oidc is None
        self.settings = settings
        self.keys = keys
        self.oidc = oidc
        self.sessions = sessions
        self.rate = rate
        self._failures = failures or Limit(settings.failures / 60, settings.failures)
        self._origins = frozenset(settings.cors_origins)

    async def identify(self, scope: Scope) -> Caller | Refusal:
        """Return who a request is of, or why it may not go on."""
        found = self.recognize(scope)
        return await self.by_token(scope, found) if isinstance(found, str) else found

    def recognize(self, scope: Scope) -> Caller | Refusal | str:
        """Return who a request is of, or why it may not go on; or a token that is to be checked."""
        if self.is_open:
            return self._from_elsewhere(scope, Credentials(scope)) or ANYBODY
        for name, value in scope["headers"]:
            if name == b"authorization":
                return self._by_authorization(scope, value.decode("latin-1"))
        brought = Credentials(scope)
        if (secret := brought.get(b"x-api-key")) is not None:
            found = self.by_key(scope, secret.strip())
            return found.caller if isinstance(found, StoredKey) else found
        if (cookie := brought.session) is not None:
            return self._by_cookie(scope, brought, cookie)
        return nothing_brought()

    def _by_authorization(self, scope: Scope, said: str) -> Caller | Refusal | str:
        scheme, _, secret = said.partition(" ")
        if scheme.lower() != "bearer":
            detail = f"the scheme {scheme[:20]!r} is not known here; send Bearer and a key"
            return self.failed(scope, not_accepted("scheme", detail))
        found = self.by_key(scope, secret.strip())
        return found.caller if isinstance(found, StoredKey) else found

    def by_key(self, scope: Scope, secret: str) -> StoredKey | Refusal | str:
        """Return the row of a key, or why it does not count; itself where it may be a token."""
        key = None if self.keys is None else self.keys.ring.find(secret)
        if key is not None:
            if key.expires is None or not key.is_expired(time.time()):
                return key
            return self.failed(scope, not_accepted("expired", f"the key {key.name!r} is over"))
        if self.oidc is not None and secret.count(".") == 2:
            return secret
        return self.failed(scope, not_accepted("unknown", "there is no such key"))

    async def by_token(self, scope: Scope, token: str) -> Caller | Refusal:
        """Return whose a token is, or why it does not count."""
        spent = self._failures.is_spent(_address(scope), time.time())
        if spent is not None:  # checking a signature costs more than looking up a key
            return too_many_failures(spent)
        if self.oidc is None:
            raise RuntimeError("a token without an issuer")
        found = await self.oidc.caller(token)
        if isinstance(found, Refusal) and found.is_failed_try:
            return self.failed(scope, found)
        return found

    def failed(self, scope: Scope, refusal: Refusal) -> Refusal:
        """Count a try with wrong credentials; return what is answered to it."""
        verdict = self._failures.take(_address(scope), time.time())
        return refusal if verdict.allowed else too_many_failures(verdict)

    def spend(self, caller: Caller) -> Verdict | None:
        """Count one request of a caller; None where nothing is limited."""
        return None if self.rate is None else self.rate.take(caller.bucket, time.time())

    def refuse_foreign_page(self, scope: Scope) -> Refusal | None:
        """Return a refusal where a page of another site wants to change something."""
        return self._from_elsewhere(scope, Credentials(scope))

    def _by_cookie(self, scope: Scope, brought: Credentials, cookie: str) -> Caller | Refusal:
        ring = None if self.keys is None else self.keys.ring
        caller = None if self.sessions is None else self.sessions.check(cookie, ring, time.time())
        if caller is None:
            # No failed try: a browser that was left open comes again and again with an old one.
            refusal = not_accepted("session", "the session is over; sign in again")
            return replace(refusal, is_failed_try=False)
        return self._from_elsewhere(scope, brought, header_instead=True) or caller

    def _from_elsewhere(
        self, scope: Scope, brought: Credentials, header_instead: bool = False
    ) -> Refusal | None:
        """Return a refusal where a browser carries out what a page of another site wants."""
        host = brought.get(b"host")
        if self.is_open and not is_local_name(host, self.settings.host):
            return from_elsewhere(
                f"without keys only names of this machine are answered, and the header Host says "
                f"{(host or '')[:100]!r}; add keys with 'riverrun keys add'"
            )
        if scope["method"] in SAFE_METHODS:
            return None
        origin = brought.get(b"origin")
        if origin is None:
            # Browsers send Origin with whatever changes something; another program can say so.
            if header_instead and brought.get(b"x-requested-with") is None:
                return from_elsewhere(
                    "with a session's cookie a change needs the header Origin, as browsers send "
                    "it, or X-Requested-With"
                )
            return None
        if is_own_origin(origin, host) or (self.is_open and origin in self._origins):
            return None
        return from_elsewhere(f"a page of {origin[:100]!r} may change nothing here")


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return "unknown" if client is None else str(client[0])
