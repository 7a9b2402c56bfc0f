"""The store's tables of what shards share."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Float, LargeBinary, String, Table

from stream.storage.metadata import metadata

shared = Table(
    "shared",
    metadata,
    Column("stream", String(128), primary_key=True),
    Column("kind", String(32), primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("created_at", Float, nullable=False),
    Column("detail", JSON, nullable=False),
    Column("seal", String(200), nullable=False),
    Column("data", LargeBinary, nullable=False),
)
"""What all shards of a stream take in, each in its own time."""

adoptions = Table(
    "adoptions",
    metadata,
    Column("stream", String(128), primary_key=True),
    Column("shard", String(128), primary_key=True),
    Column("position", BigInteger, primary_key=True),
    Column("checkpoint", BigInteger, nullable=False),
    Column("learned_offset", BigInteger, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("number", BigInteger, nullable=False),
)
"""When a shard took in what; ``checkpoint`` is the one that it came with."""
