"""The monitor's history, retraining runs, and what is told to others."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Float, Integer, LargeBinary, String, Text

from stream.storage.migrations.lacking import add_column, create_table

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the tables of version 2."""
    create_table(
        "panes",
        Column("stream", String(128), primary_key=True),
        Column("shard", String(128), primary_key=True),
        Column("number", BigInteger, primary_key=True),
        Column("pane", BigInteger, primary_key=True),
        Column("version", String(64), nullable=False),
        Column("layout", String(64), nullable=False),
        Column("first", Float, nullable=False),
        Column("last", Float, nullable=False),
        Column("events", BigInteger, nullable=False),
        Column("errors", BigInteger, nullable=False),
        Column("offsets", JSON, nullable=False),
        Column("summary", JSON, nullable=False),
        Column("data", LargeBinary, nullable=False),
        Column("scores", LargeBinary, nullable=False),
    )
    # The first stores of version 2 did not have it: their panes know no place on the log.
    add_column("panes", Column("offsets", JSON, nullable=False, server_default="{}"))
    create_table(
        "references",
        Column("stream", String(128), primary_key=True),
        Column("version", String(64), primary_key=True),
        Column("number", BigInteger, nullable=False),
        Column("created_at", Float, nullable=False),
        Column("seal", String(200), nullable=False),
        Column("data", LargeBinary, nullable=False),
    )
    create_table(
        "run_changes",
        Column("stream", String(128), primary_key=True),
        Column("number", BigInteger, primary_key=True),
        Column("position", Integer, primary_key=True),
        Column("run", BigInteger, nullable=False),
        Column("version", String(64), nullable=False),
        Column("state", String(64), nullable=False),
        Column("time", BigInteger, nullable=False),
        Column("at", Float, nullable=False),
        Column("sentence", Text, nullable=False),
        Column("detail", JSON, nullable=False),
    )
    create_table(
        "models",
        Column("stream", String(128), primary_key=True),
        Column("version", String(64), primary_key=True),
        Column("number", BigInteger, primary_key=True),
        Column("moment", String(16), primary_key=True),
        Column("at", Float, nullable=False),
        Column("seal", String(200), nullable=False),
        Column("data", LargeBinary, nullable=False),
    )
    create_table(
        "trainings",
        Column("stream", String(128), primary_key=True),
        Column("run", BigInteger, primary_key=True),
        Column("epoch", BigInteger, nullable=False),
        Column("state", String(16), nullable=False),
        Column("at", Float, nullable=False),
        Column("progress", JSON, nullable=False),
        Column("seal", String(200), nullable=True),
        Column("data", LargeBinary, nullable=True),
    )
    create_table(
        "requests",
        Column("id", Integer, primary_key=True, autoincrement=True),
        Column("stream", String(128), nullable=False, index=True),
        Column("kind", String(32), nullable=False),
        Column("detail", JSON, nullable=False),
        Column("by", Text, nullable=False),
        Column("at", Float, nullable=False),
        Column("handled_at", Float, nullable=True),
        Column("outcome", Text, nullable=True),
    )
    create_table(
        "imports",
        Column("stream", String(128), primary_key=True),
        Column("request", Integer, primary_key=True),
        Column("at", Float, nullable=False),
        Column("seal", String(200), nullable=False),
        Column("data", LargeBinary, nullable=False),
        Column("reference", LargeBinary, nullable=True),
    )
    create_table(
        "receivers",
        Column("stream", String(128), primary_key=True),
        Column("receiver", String(32), primary_key=True),
        Column("happening", BigInteger, nullable=False),
        Column("number", BigInteger, nullable=False),
        Column("position", Integer, nullable=False),
        Column("state", JSON, nullable=False),
        Column("sent", BigInteger, nullable=False),
        Column("failed", BigInteger, nullable=False),
        Column("dropped", BigInteger, nullable=False),
        Column("sent_at", Float, nullable=True),
        Column("last_error", Text, nullable=True),
    )
    create_table(
        "outbox",
        Column("id", Integer, primary_key=True, autoincrement=True),
        Column("stream", String(128), nullable=False, index=True),
        Column("receiver", String(32), nullable=False),
        Column("key", Text, nullable=False),
        Column("at", Float, nullable=False),
        Column("data", JSON, nullable=False),
    )
