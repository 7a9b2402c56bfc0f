"""An issuer's public keys: fetched, kept for a while, and looked up by their id."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import jwt
import msgspec
import structlog
from urllib3.exceptions import HTTPError

from stream.egress import Outside
from stream.errors import RiverrunError

_log = structlog.get_logger("riverrun.auth")

_TIMEOUT_SECONDS = 5.0
_BYTES_MAX = 1_048_576
_KEYS_MAX = 100

FRESH_SECONDS = 600.0
"""How long keys are used before they are fetched again."""

KEPT_SECONDS = 86_400.0
"""How long keys are used while the issuer does not answer."""

AGAIN_SECONDS = 10.0
"""How long an unknown id, or an issuer that did not answer, leads to no other request."""


class IssuerUnreachableError(RiverrunError):
    """The issuer's keys cannot be had now: nothing can be said of a token."""

    exit_code = 3


class PublicKeys:
    """The keys of one issuer.

    Parameters
    ----------
    issuer
        Its URL.
    jwks_url
        Where its keys are; None to ask its discovery document.
    fetch
        Returns the JSON object at a URL; may block, and raises ``IssuerUnreachableError``.
    clock
        Tells seconds.

    Attributes
    ----------
    changes
        How often the keys have changed: what was checked with older ones is to be checked again.
    """

    def __init__(
        self,
        issuer: str,
        jwks_url: str | None = None,
        fetch: Callable[[str], dict[str, Any]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.changes = 0
        self._issuer = issuer
        self._url = jwks_url
        self._fetch = fetch or fetch_json
        self._clock = clock
        self._found: dict[str, Any] = {}
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at = self._tried_at = float("-inf")
        self._trouble = ""
        self._lock = asyncio.Lock()

    async def find(self, key_id: str | None) -> jwt.PyJWK | None:
        """Return the key of an id; without an id the only key there is. None for no such key.

        Raises
        ------
        IssuerUnreachableError
        """
        if self._clock() - self._fetched_at > FRESH_SECONDS or self._pick(key_id) is None:
            await self._renew(key_id)
        if self._clock() - self._fetched_at > KEPT_SECONDS:
            raise IssuerUnreachableError(self._trouble)
        return self._pick(key_id)

    def _pick(self, key_id: str | None) -> jwt.PyJWK | None:
        if key_id is None:
            return next(iter(self._keys.values())) if len(self._keys) == 1 else None
        return self._keys.get(key_id)

    async def _renew(self, key_id: str | None) -> None:
        async with self._lock:  # one request, however many tokens wait for it
            now = self._clock()
            if now - self._tried_at < AGAIN_SECONDS:
                return
            self._tried_at = now
            try:
                found = await asyncio.to_thread(self._ask)
            except IssuerUnreachableError as error:
                self._trouble = str(error)
                _log.warning("issuer_keys_not_fetched", reason=self._trouble)
                return
            self._fetched_at = self._clock()
            if found != self._found:
                self._found, self._keys = found, _signing_keys(found)
                self.changes += 1
                _log.info("issuer_keys_fetched", keys=len(self._keys))

    def _ask(self) -> dict[str, Any]:
        if self._url is None:
            place = self._issuer.rstrip("/") + "/.well-known/openid-configuration"
            told = self._fetch(place)
            if told.get("issuer") != self._issuer:
                raise IssuerUnreachableError(
                    f"{place} is of the issuer {told.get('issuer')!r}, and oidc.issuer is "
                    f"{self._issuer!r}"
                )
            url = told.get("jwks_uri")
            if not isinstance(url, str) or _scheme(url) != _scheme(self._issuer):
                raise IssuerUnreachableError(f"{place}: jwks_uri is {url!r}; an https URL is due")
            self._url = url
        return self._fetch(self._url)


def fetch_json(url: str) -> dict[str, Any]:
    """Return the JSON object at a URL, and follow no redirect. Blocks.

    Raises
    ------
    IssuerUnreachableError
    """
    try:
        with Outside() as pool:
            response = pool.request(
                "GET",
                url,
                timeout=_TIMEOUT_SECONDS,
                redirect=False,
                retries=False,
                preload_content=False,
            )
            body = response.read(_BYTES_MAX + 1)
            response.close()
    except HTTPError as error:
        raise IssuerUnreachableError(f"{url}: {error}") from None
    if response.status != 200 or len(body) > _BYTES_MAX:
        raise IssuerUnreachableError(f"{url} answers {response.status} with {len(body):,} bytes")
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise IssuerUnreachableError(f"{url}: not a JSON object: {error}") from None


def _signing_keys(found: Mapping[str, Any]) -> dict[str, jwt.PyJWK]:
    """Return the public keys that can sign; what is of no known kind is passed over."""
    rows = found.get("keys")
    keys: dict[str, jwt.PyJWK] = {}
    for row in rows[:_KEYS_MAX] if isinstance(rows, list) else []:
        if not isinstance(row, dict) or row.get("kty") not in ("RSA", "EC", "OKP"):
            continue
        if row.get("use", "sig") != "sig":
            continue
        try:
            keys[str(row.get("kid", ""))] = jwt.PyJWK(row)
        except (jwt.PyJWTError, ValueError, TypeError, KeyError) as error:
            _log.warning("issuer_key_not_read", kid=row.get("kid"), reason=str(error))
    return keys


def _scheme(url: str) -> str:
    return urlsplit(url).scheme
