"""The table ``[kafka]`` of the configuration file: how a cluster is spoken to."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from stream.sections import Duration, Section

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]


class KafkaSection(Section):
    """``[kafka]``: how a Kafka cluster is spoken to; names are those of kafka-python."""

    security_protocol: SecurityProtocol | None = Field(
        None,
        description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL; default: SASL_SSL with a user "
        "name or a token, SSL with ssl_cafile, else PLAINTEXT",
    )
    sasl_mechanism: Mechanism | None = Field(
        None,
        description="PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER; default: OAUTHBEARER "
        "where tokens are configured, else SCRAM-SHA-512",
    )
    ssl_cafile: str | None = Field(
        None, description="PEM file of whom the broker's certificate is by; default: the system's"
    )
    ssl_certfile: str | None = Field(
        None, description="PEM file of our own certificate, where brokers want one (mutual TLS)"
    )
    ssl_keyfile: str | None = Field(
        None, description="PEM file of its key; default: it stands in ssl_certfile"
    )
    token_url: str | None = Field(
        None,
        description="where tokens for OAUTHBEARER come from, by OAuth's client credentials; https, "
        "but for an issuer on this machine",
    )
    token_client_id: str | None = Field(
        None, description="client's id there; its secret is RIVERRUN_KAFKA_CLIENT_SECRET"
    )
    token_scope: str | None = Field(None, description="scope that tokens are asked for")
    token_provider: str | None = Field(
        None,
        description='own code instead: "package.module:function" returns (token, seconds it lasts)',
    )
    patience: Duration = Field(
        120_000,
        ge=1_000,
        description="how long the worker bears a cluster that does not answer, before it stops",
    )

    def options(self) -> dict[str, str]:
        """Return what was set, as ``KafkaLog`` takes it."""
        return self.model_dump(exclude_none=True, exclude={"patience"})
