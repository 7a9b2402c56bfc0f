"""The tables of the configuration file about the API, and who may use it."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from stream.destinations import why_forbidden
from stream.sections import Duration, Section

SigningAlgorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"
]
"""Signatures by a private key alone: a token can never be checked with a public key as password."""

Origin = Annotated[str, Field(pattern=r"^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?$")]


class ApiSection(Section):
    """``[api]``: where the API listens, what it accepts, and from whom."""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65_535, description="0 picks a free one")
    max_body_bytes: int = Field(1_048_576, ge=1_024, description="larger bodies are refused")
    max_batch: int = Field(1_000, ge=1, description="events in one batch request")
    max_live: int = Field(
        100, ge=0, le=10_000, description="viewers of live events at a time, in each process"
    )
    queue: int = Field(
        10_000, ge=1, description="served predictions waiting to be logged; then shed, and counted"
    )
    shed: Literal["newest", "oldest"] = Field(
        "newest", description="which served prediction is not logged where the queue is full"
    )
    max_features: int = Field(1_000, ge=1, le=10_000, description="features in one event")
    on_schema_error: Literal["refuse", "flag"] = Field(
        "refuse",
        description="an event that the schema calls an error: refuse it, or predict and flag it",
    )
    remembered: int = Field(
        10_000,
        ge=0,
        le=10_000_000,
        description="recorded answers that are given again to the same id; 0 remembers none",
    )
    remembered_file: str | None = Field(
        None,
        description="SQLite file in which the processes of one machine share them; "
        "default: each process remembers its own",
    )
    offset_wait: Duration = Field(5_000, description="how long min_offset waits for the model")
    body_timeout: Duration = Field(
        30_000,
        ge=100,
        description="for a request's head, and for each part of its body, to come in",
    )
    explain_ms: int = Field(
        250, ge=10, le=60_000, description="time that one explanation may take, in milliseconds"
    )
    keys_file: str | None = Field(
        None,
        description="API keys, as hashes, written by `riverrun keys`; without keys (and `[oidc]`) "
        "only loopback is listened on, and whoever reaches it may do everything",
    )
    open_metrics: bool = Field(False, description="whether `/metrics` asks for no key")
    rate: float = Field(
        0, ge=0, le=1_000_000, description="requests a second, by key, on average; 0: no limit"
    )
    burst: int = Field(
        0, ge=0, le=1_000_000, description="requests by key at once; 0: those of one second"
    )
    failures: int = Field(
        20, ge=1, description="wrong keys or tokens a minute from one address; then 429"
    )
    session: Duration = Field(
        12 * 3_600_000, ge=60_000, description="how long a browser stays signed in"
    )
    cors_origins: tuple[Origin, ...] = Field(
        (), max_length=100, description="origins of other sites whose pages may call the API"
    )
    tls_cert: str | None = Field(None, description="certificate chain (PEM) to serve HTTPS with")
    tls_key: str | None = Field(None, description="its private key (PEM)")
    trusted_proxies: tuple[str, ...] = Field(
        (),
        max_length=100,
        description="addresses or networks whose X-Forwarded-For and -Proto are believed",
    )

    @property
    def at_once(self) -> int:
        """How many requests of one key may come at once, where there is a limit."""
        return self.burst or max(1, round(self.rate))


class OidcSection(Section):
    """``[oidc]``: bearer tokens of an OpenID Connect issuer."""

    issuer: str | None = Field(
        None, pattern=r"^https?://[^\s]+$", description="as in the token's `iss`; none: no tokens"
    )
    audience: str | None = Field(None, description="as in the token's `aud`; required")
    jwks_url: str | None = Field(
        None, pattern=r"^https?://[^\s]+$", description="default: what the issuer's discovery says"
    )
    algorithms: tuple[SigningAlgorithm, ...] = Field(
        ("RS256", "ES256"), min_length=1, description="signatures that are accepted"
    )
    leeway: Duration = Field(30_000, le=600_000, description="how far clocks may be apart")
    name_claim: str = Field("sub", min_length=1, description="claim that says who it is")
    role_claim: str = Field(
        "roles", min_length=1, description="claim with roles or groups; dots lead inwards"
    )
    viewer: tuple[str, ...] = Field((), description="values of the claim that give this role")
    predictor: tuple[str, ...] = Field((), description="values of the claim that give this role")
    operator: tuple[str, ...] = Field((), description="values of the claim that give this role")

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.issuer is None:
            return self
        if not self.audience:
            raise ValueError(
                "an issuer without an audience: tokens made for other services would pass; set "
                "oidc.audience"
            )
        if not (self.viewer or self.predictor or self.operator):
            raise ValueError("no value of the claim gives a role; set oidc.viewer, for example")
        for url in (self.issuer, self.jwks_url):
            if url is not None and not _is_private(url):
                raise ValueError(f"{url!r}: use https; http is for an issuer on this machine")
            host = "" if url is None else urlsplit(url).hostname or ""
            if (reason := why_forbidden(host)) is not None:
                raise ValueError(f"nothing is sent to {host}: {reason}")
        return self


def _is_private(url: str) -> bool:
    """Return whether nobody on the way can change what a URL answers."""
    parts = urlsplit(url)
    return parts.scheme == "https" or parts.hostname in ("127.0.0.1", "localhost", "::1")
