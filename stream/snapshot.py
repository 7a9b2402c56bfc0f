"""A line's state as bytes, and back: what one checkpoint holds.

The model and the rest of the state are pickles, since River's objects have no other form; they
are verified by the store before anyone unpickles them. What waits is written as changes only.
"""

from __future__ import annotations

import pickle
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from stream.counts import Counts
from stream.records import TopicPartition
from stream.settled import Settlement
from stream.waiting import Chunk, EarlyLabel, Pending

if TYPE_CHECKING:
    from stream.line import Line

FORMAT = 1
"""Rises when a checkpoint of this code cannot be read by the code before, or the other way."""

MODEL_PART = "model"
STATE_PART = "state"

Chunks = Mapping[str, Sequence[tuple[int, bytes]]]
"""By kind: numbers and bytes of the chunks, oldest first."""


class ChunkWrite(msgspec.Struct, frozen=True):
    """One chunk to write: its bytes (None for nothing new), and the oldest still needed."""

    data: bytes | None
    first: int


class Snapshot(msgspec.Struct, frozen=True):
    """What one checkpoint holds.

    Parameters
    ----------
    offsets
        Next offset by partition, as ``topic-partition`` text.
    version
        The model version.
    parts
        Whole blobs by name.
    chunks
        Changes by kind.
    """

    offsets: dict[str, int]
    version: str
    parts: dict[str, bytes]
    chunks: dict[str, ChunkWrite]


_pending = msgspec.msgpack.Decoder(Chunk[Pending])
_early = msgspec.msgpack.Decoder(Chunk[EarlyLabel])
_settled = msgspec.msgpack.Decoder(list[Settlement])


def take_snapshot(line: Line) -> tuple[Snapshot, Mapping[str, Any]]:
    """Return a checkpoint of a line, and the changes that ``mark_committed`` wants afterwards.

    The line is not changed: where the commit fails, the next snapshot holds the same changes.
    """
    pending, early = line.pending.changes(), line.early.changes()
    settled, settled_first = line.settled.changes()
    state = {
        "scores": line.scores,
        "baselines": line.baselines,
        "counts": msgspec.structs.asdict(line.counts),
        "reasons": dict(line.reasons),
        "watermark": line.watermark,
        "probes": line.probes,
        "recent": list(line.recent),
        "arrivals": line.arrivals,
    }
    snapshot = Snapshot(
        offsets={str(place): offset for place, offset in line.offsets.items()},
        version=line.version,
        parts={MODEL_PART: pickle.dumps(line.learner, 5), STATE_PART: pickle.dumps(state, 5)},
        chunks={
            "pending": _write(pending, pending.first, bool(pending.added or pending.removed)),
            "early": _write(early, early.first, bool(early.added or early.removed)),
            "settled": _write(settled, settled_first, bool(settled)),
        },
    )
    return snapshot, {"pending": pending, "early": early, "settled": (settled, settled_first)}


def mark_committed(line: Line, changes: Mapping[str, Any], number: int) -> None:
    """Tell a line that its changes were committed under a number."""
    line.pending.committed(changes["pending"], number)
    line.early.committed(changes["early"], number)
    settled, first = changes["settled"]
    line.settled.committed(len(settled), first, number)


def restore(line: Line, snapshot: Snapshot, chunks: Chunks) -> None:
    """Make a fresh line what it was when the snapshot was taken.

    Parameters
    ----------
    line
        A line of the same configuration that has handled nothing.
    snapshot
        Verified: its parts are unpickled here.
    chunks
        The chunks that belong to it.
    """
    state = pickle.loads(snapshot.parts[STATE_PART])  # noqa: S301 (the store verified it)
    line.learner = load_learner(snapshot.parts[MODEL_PART])
    line.version = snapshot.version
    line.offsets = {TopicPartition.parse(k): v for k, v in snapshot.offsets.items()}
    line.scores = state["scores"]
    line.scores.resize(line.config.model.window)
    line.baselines = state["baselines"]
    line.counts = Counts(**state["counts"])
    line.reasons = Counter(state["reasons"])
    line.watermark = state["watermark"]
    line.probes = state["probes"]
    line.recent = deque(state["recent"], maxlen=line.config.dead_letters.window)
    line.arrivals = state["arrivals"]
    line.pending.restore([(n, _pending.decode(data)) for n, data in chunks.get("pending", [])])
    line.early.restore([(n, _early.decode(data)) for n, data in chunks.get("early", [])])
    line.settled.restore([(n, _settled.decode(data)) for n, data in chunks.get("settled", [])])


def load_learner(part: bytes) -> Any:
    """Unpickle the model part alone, for serving. It must have been verified."""
    return pickle.loads(part)  # noqa: S301 (the store verified it)


def _write(changes: object, first: int, any_change: bool) -> ChunkWrite:
    return ChunkWrite(msgspec.msgpack.encode(changes) if any_change else None, first)
