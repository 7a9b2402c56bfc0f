"""A stream in shards: leases on them, references of each, what they share; and models of keys."""

from __future__ import annotations

from alembic import op
from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Float,
    LargeBinary,
    String,
    column,
    literal,
    select,
    table,
)

revision = "0005"
down_revision = "0004"

_KEPT = ("stream", "version", "number", "created_at", "seal", "data")


def upgrade() -> None:
    """Create the tables of version 5; what is there belongs to the one shard of its stream."""
    op.create_table(
        "leases",
        Column("stream", String(128), primary_key=True),
        Column("name", String(128), primary_key=True),
        Column("holder", String(300), nullable=False),
        Column("until", Float, nullable=False),
    )
    # A primary key cannot be widened in SQLite: the rows move to a table that has it.
    op.rename_table("references", "references_before")
    made = op.create_table(
        "references",
        Column("stream", String(128), primary_key=True),
        Column("shard", String(128), primary_key=True),
        Column("version", String(64), primary_key=True),
        Column("number", BigInteger, nullable=False),
        Column("created_at", Float, nullable=False),
        Column("seal", String(200), nullable=False),
        Column("data", LargeBinary, nullable=False),
    )
    before = table("references_before", *map(column, _KEPT))
    rows = select(*(before.c[name] for name in _KEPT), literal("all"))
    op.execute(made.insert().from_select([*_KEPT, "shard"], rows))
    op.drop_table("references_before")
    op.create_table(
        "shared",
        Column("stream", String(128), primary_key=True),
        Column("kind", String(32), primary_key=True),
        Column("number", BigInteger, primary_key=True),
        Column("created_at", Float, nullable=False),
        Column("detail", JSON, nullable=False),
        Column("seal", String(200), nullable=False),
        Column("data", LargeBinary, nullable=False),
    )
    op.create_table(
        "adoptions",
        Column("stream", String(128), primary_key=True),
        Column("shard", String(128), primary_key=True),
        Column("position", BigInteger, primary_key=True),
        Column("checkpoint", BigInteger, nullable=False),
        Column("learned_offset", BigInteger, nullable=False),
        Column("kind", String(32), nullable=False),
        Column("number", BigInteger, nullable=False),
    )
    op.create_table(
        "key_models",
        Column("stream", String(128), primary_key=True),
        Column("shard", String(128), primary_key=True),
        Column("key", String(512), primary_key=True),
        Column("number", BigInteger, primary_key=True),
        Column("dropped_at", BigInteger, nullable=True),
        Column("learned", BigInteger, nullable=False),
        Column("turn", BigInteger, nullable=False),
        Column("mark", BigInteger, nullable=False),
        Column("seal", String(200), nullable=False),
        Column("data", LargeBinary, nullable=False),
    )
    for name, column_name in (("number", "number"), ("drop", "dropped_at")):
        op.create_index(f"key_models_by_{name}", "key_models", ["stream", "shard", column_name])
