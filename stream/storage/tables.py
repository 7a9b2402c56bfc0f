"""The store's tables."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    and_,
)

from stream.storage.any_text import AnyString, AnyText
from stream.storage.metadata import metadata as metadata  # noqa: PLC0414 (as this)
from stream.storage.shard_tables import adoptions as adoptions  # noqa: PLC0414 (re-exported)
from stream.storage.shard_tables import shared as shared  # noqa: PLC0414 (as this)

SCHEMA_VERSION = 5
"""A change of the tables is a new version, with a migration in ``migrations/versions``."""

SHARD = "all"
"""The one shard of a stream that is not divided."""

about = Table(
    "riverrun",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", String(64), nullable=False),
)

shards = Table(
    "shards",
    metadata,
    Column("stream", String(128), primary_key=True),
    Column("shard", String(128), primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("last_number", BigInteger, nullable=False),
    Column("owner", Text, nullable=False),
    Column("acquired_at", Float, nullable=False),
)
"""Who may write: the holder of the newest epoch."""

leases = Table(
    "leases",
    metadata,
    Column("stream", String(128), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("holder", String(300), nullable=False),
    Column("until", Float, nullable=False),
)
"""What one process at a time holds, unless it falls silent; see ``stream.storage.leases``."""

checkpoints = Table(
    "checkpoints",
    metadata,
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

parts = Table(
    "checkpoint_parts",
    metadata,
    Column("stream", String(128), primary_key=True),
    Column("shard", String(128), primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("part", String(64), primary_key=True),
    Column("seal", String(200), nullable=False),
    Column("data", LargeBinary, nullable=False),
)

chunks = Table(
    "checkpoint_chunks",
    metadata,
    Column("stream", String(128), primary_key=True),
    Column("shard", String(128), primary_key=True),
    Column("kind", String(64), primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("seal", String(200), nullable=False),
    Column("dropped_at", BigInteger, nullable=True),
    Column("data", LargeBinary, nullable=False),
)
"""Changes since the checkpoint before. One dropped at n belongs to the checkpoints before n."""

versions = Table(
    "versions",
    metadata,
    Column("stream", String(128), primary_key=True),
    Column("version", String(64), primary_key=True),
    Column("created_at", Float, nullable=False),
    Column("reason", AnyText, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("libraries", JSON, nullable=False),
)

panes = Table(
    "panes",
    metadata,
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
    Column("data_seal", String(200), nullable=True),
    Column("scores_seal", String(200), nullable=True),
)
"""The monitor's closed panes; ``number`` is the checkpoint that they came with.

Panes from before version 4 have no seals.
"""

references = Table(
    "references",
    metadata,
    Column("stream", String(128), primary_key=True),
    Column("shard", String(128), primary_key=True),
    Column("version", String(64), primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("seal", String(200), nullable=False),
    Column("data", LargeBinary, nullable=False),
)
"""What each version's events are compared with, on each shard."""

predictions = Table(
    "predictions",
    metadata,
    Column("stream", String(128), primary_key=True),
    Column("shard", String(128), primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("at", Float, nullable=False),
    Column("last", BigInteger, nullable=False),
    Column("count", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
)
"""The newest predictions and their labels: what each checkpoint added; ``last`` counts them."""

precomputed = Table(
    "precomputed",
    metadata,
    Column("stream", String(128), primary_key=True),
    Column("id", AnyString(512), primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Index("precomputed_by_number", "stream", "number"),
)
"""Predictions made ahead of time, by the event's id."""

sightings = Table(
    "sightings",
    metadata,
    Column("stream", String(128), primary_key=True),
    Column("shard", String(128), primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("at", Float, nullable=False),
    Column("data", JSON, nullable=False),
)
"""Anomalies that were seen since the checkpoint before."""

run_changes = Table(
    "run_changes",
    metadata,
    Column("stream", String(128), primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("run", BigInteger, nullable=False),
    Column("version", String(64), nullable=False),
    Column("state", String(64), nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("at", Float, nullable=False),
    Column("sentence", AnyText, nullable=False),
    Column("detail", JSON, nullable=False),
)
"""What happened to retraining runs; ``number`` is the checkpoint that it came with."""

models = Table(
    "models",
    metadata,
    Column("stream", String(128), primary_key=True),
    Column("version", String(64), primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("moment", String(16), primary_key=True),
    Column("at", Float, nullable=False),
    Column("seal", String(200), nullable=False),
    Column("data", LargeBinary, nullable=False),
)
"""Models as they were when they began to serve, and when they left."""

trainings = Table(
    "trainings",
    metadata,
    Column("stream", String(128), primary_key=True),
    Column("run", BigInteger, primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("at", Float, nullable=False),
    Column("progress", JSON, nullable=False),
    Column("seal", String(200), nullable=True),
    Column("data", LargeBinary, nullable=True),
)
"""What the process that trains has reached, and in the end its candidates."""

requests = Table(
    "requests",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("stream", String(128), nullable=False, index=True),
    Column("kind", String(32), nullable=False),
    Column("detail", JSON, nullable=False),
    Column("by", AnyText, nullable=False),
    Column("at", Float, nullable=False),
    Column("handled_at", Float, nullable=True),
    Column("outcome", AnyText, nullable=True),
)
"""What people ask of the worker; it answers with the checkpoint in which it obeyed."""

imports = Table(
    "imports",
    metadata,
    Column("stream", String(128), primary_key=True),
    Column("request", Integer, primary_key=True),
    Column("at", Float, nullable=False),
    Column("seal", String(200), nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("reference", LargeBinary, nullable=True),
)
"""Models that people brought, until the worker has taken them in and answered."""

happenings = Table(
    "happenings",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("stream", String(128), nullable=False, index=True),
    Column("at", Float, nullable=False),
    Column("kind", String(64), nullable=False),
    Column("detail", JSON, nullable=False),
)
"""What a person should be able to find afterwards: gaps, damaged checkpoints, rebuilds."""

label_conflicts = Table(
    "label_conflicts",
    metadata,
    Column("stream", String(128), primary_key=True),
    Column("shard", String(128), primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("event", AnyText, nullable=False),
    Column("detail", JSON, nullable=False),
)
"""Labels that contradict others; ``number`` is the checkpoint that they came with."""

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("stream", String(128), nullable=False, index=True),
    Column("at", Float, nullable=False),
    Column("action", String(32), nullable=False),
    Column("by", AnyText, nullable=False),
    Column("via", String(16), nullable=False),
    Column("origin", AnyText, nullable=False),
    Column("reason", AnyText, nullable=False),
    Column("detail", JSON, nullable=False),
    Column("request", Integer, nullable=True),
)
"""Who controlled what, and why; what came of a request stands with the request."""

receivers = Table(
    "receivers",
    metadata,
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
    Column("last_error", AnyText, nullable=True),
)
"""Who is told of what happens: how far each has read happenings and runs, and what came of it."""

outbox = Table(
    "outbox",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("stream", String(128), nullable=False, index=True),
    Column("receiver", String(32), nullable=False),
    Column("key", AnyText, nullable=False),
    Column("at", Float, nullable=False),
    Column("data", JSON, nullable=False),
)
"""What a receiver is still to be told, oldest first."""

key_models = Table(
    "key_models",
    metadata,
    Column("stream", String(128), primary_key=True),
    Column("shard", String(128), primary_key=True),
    Column("key", AnyString(512), primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("dropped_at", BigInteger, nullable=True),
    Column("learned", BigInteger, nullable=False),
    Column("turn", BigInteger, nullable=False),
    Column("mark", BigInteger, nullable=False),
    Column("seal", String(200), nullable=False),
    Column("data", LargeBinary, nullable=False),
    Index("key_models_by_number", "stream", "shard", "number"),
    Index("key_models_by_drop", "stream", "shard", "dropped_at"),
)
"""Models of keys as of the checkpoint that they changed with; dropped as chunks are."""


def belongs_to(table: Table, stream: str, shard: str) -> Any:
    """Return the condition that a row of a table is one of a shard's."""
    return and_(table.c.stream == stream, table.c.shard == shard)
