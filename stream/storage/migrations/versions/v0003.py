"""The newest predictions and anomalies, for people who look."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Float, Integer, LargeBinary, String

from stream.storage.migrations.lacking import create_table

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the tables of version 3."""
    create_table(
        "predictions",
        Column("stream", String(128), primary_key=True),
        Column("shard", String(128), primary_key=True),
        Column("number", BigInteger, primary_key=True),
        Column("at", Float, nullable=False),
        Column("last", BigInteger, nullable=False),
        Column("count", Integer, nullable=False),
        Column("data", LargeBinary, nullable=False),
    )
    create_table(
        "sightings",
        Column("stream", String(128), primary_key=True),
        Column("shard", String(128), primary_key=True),
        Column("number", BigInteger, primary_key=True),
        Column("at", Float, nullable=False),
        Column("data", JSON, nullable=False),
    )
