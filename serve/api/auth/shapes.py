"""The shapes of sessions, for people who read the OpenAPI document."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field


class SignIn(BaseModel):
    """What a browser signs in with."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"key": "rrk_1f3a5c7e_" + "x" * 43}]}, extra="forbid"
    )

    key: str = Field(min_length=1, description="An API key, or a token of the issuer.")


class Session(BaseModel):
    """Who asks, and what they may do."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "dashboard",
                    "role": "viewer",
                    "via": "session",
                    "is_open": False,
                    "expires_at": "2026-11-23T20:00:00Z",
                    "note": None,
                }
            ]
        }
    )

    name: str = Field(description="Of the key, or who the token is of.")
    role: str = Field(description="`viewer`, `predictor` or `operator`: the last may do all.")
    via: str = Field(description="`key`, `session`, `oidc`, or `open` where nobody is asked.")
    is_open: bool = Field(description="Whether no keys are configured.")
    expires_at: datetime | None = Field(None, description="When this ends; null for never.")
    note: str | None = Field(None, description="What there is to know of it.")
