"""Who did what, predictions ahead of time, labels that contradict, and seals of panes."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Float, Index, Integer, LargeBinary, String, Text

from stream.storage.migrations.lacking import add_column, create_table

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the tables of version 4."""
    create_table(
        "audit",
        Column("id", Integer, primary_key=True, autoincrement=True),
        Column("stream", String(128), nullable=False, index=True),
        Column("at", Float, nullable=False),
        Column("action", String(32), nullable=False),
        Column("by", Text, nullable=False),
        Column("via", String(16), nullable=False),
        Column("origin", Text, nullable=False),
        Column("reason", Text, nullable=False),
        Column("detail", JSON, nullable=False),
        Column("request", Integer, nullable=True),
    )
    create_table(
        "precomputed",
        Column("stream", String(128), primary_key=True),
        Column("id", String(512), primary_key=True),
        Column("number", BigInteger, nullable=False),
        Column("data", LargeBinary, nullable=False),
        Index("precomputed_by_number", "stream", "number"),
    )
    create_table(
        "label_conflicts",
        Column("stream", String(128), primary_key=True),
        Column("shard", String(128), primary_key=True),
        Column("number", BigInteger, primary_key=True),
        Column("position", Integer, primary_key=True),
        Column("event", Text, nullable=False),
        Column("detail", JSON, nullable=False),
    )
    for name in ("data_seal", "scores_seal"):
        add_column("panes", Column(name, String(200), nullable=True))
