"""The first tables: checkpoints in one transaction, versions, happenings."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Float, Integer, LargeBinary, String, Text

from stream.storage.migrations.lacking import create_table

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables of version 1."""
    create_table(
        "riverrun",
        Column("key", String(64), primary_key=True),
        Column("value", String(64), nullable=False),
    )
    create_table(
        "shards",
        Column("stream", String(128), primary_key=True),
        Column("shard", String(128), primary_key=True),
        Column("epoch", BigInteger, nullable=False),
        Column("last_number", BigInteger, nullable=False),
        Column("owner", Text, nullable=False),
        Column("acquired_at", Float, nullable=False),
    )
    create_table(
        "checkpoints",
        Column("stream", String(128), primary_key=True),
        Column("shard", String(128), primary_key=True),
        Column("number", BigInteger, primary_key=True),
        Column("epoch", BigInteger, nullable=False),
        Column("created_at", Float, nullable=False),
        Column("offsets", JSON, nullable=False),
        Column("version", String(64), nullable=False),
        Column("status", JSON, nullable=False),
        Column("fingerprint", Text, nullable=False),
        Column("format", Integer, nullable=False),
        Column("libraries", JSON, nullable=False),
    )
    create_table(
        "checkpoint_parts",
        Column("stream", String(128), primary_key=True),
        Column("shard", String(128), primary_key=True),
        Column("number", BigInteger, primary_key=True),
        Column("part", String(64), primary_key=True),
        Column("seal", String(200), nullable=False),
        Column("data", LargeBinary, nullable=False),
    )
    create_table(
        "checkpoint_chunks",
        Column("stream", String(128), primary_key=True),
        Column("shard", String(128), primary_key=True),
        Column("kind", String(64), primary_key=True),
        Column("number", BigInteger, primary_key=True),
        Column("seal", String(200), nullable=False),
        Column("dropped_at", BigInteger, nullable=True),
        Column("data", LargeBinary, nullable=False),
    )
    create_table(
        "versions",
        Column("stream", String(128), primary_key=True),
        Column("version", String(64), primary_key=True),
        Column("created_at", Float, nullable=False),
        Column("reason", Text, nullable=False),
        Column("fingerprint", Text, nullable=False),
        Column("libraries", JSON, nullable=False),
    )
    create_table(
        "happenings",
        Column("id", Integer, primary_key=True, autoincrement=True),
        Column("stream", String(128), nullable=False, index=True),
        Column("at", Float, nullable=False),
        Column("kind", String(64), nullable=False),
        Column("detail", JSON, nullable=False),
    )
