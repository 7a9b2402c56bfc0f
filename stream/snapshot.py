"""A line's state as bytes, and back: what one checkpoint holds.

The model and the rest of the state are pickles, since River's objects have no other form; they
are verified by the store before anyone unpickles them. What waits is written as changes only.
"""

from __future__ import annotations

import pickle
from collections import Counter, deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from stream.checkpoint import (
    ADOPTED_PART,
    GATES_PART,
    KEYS_PART,
    LIFECYCLE_PART,
    MODEL_PART,
    STATE_PART,
    VIEW_PART,
    WANTED_PART,
    WATCH_PART,
    Chunks,
    ChunkWrite,
    Snapshot,
)
from stream.counts import Counts
from stream.frozen import thaw
from stream.keys.on_line import key_changes, key_sum, mark_keys_committed, restore_keys
from stream.lifecycle.following import write_gates
from stream.opinions import Given
from stream.records import TopicPartition
from stream.settled import Settlement
from stream.waiting import Chunk, EarlyLabel, Pending
from stream.wanted import write_wanted
from stream.watching.state import read_reference, restore_watch, write_reference, write_watch
from stream.watching.summary import view_of

if TYPE_CHECKING:
    from stream.line import Line

_ALL = 1 << 62  # a chunk number after all there will be

_pending = msgspec.msgpack.Decoder(Chunk[Pending])
_early = msgspec.msgpack.Decoder(Chunk[EarlyLabel])
_settled = msgspec.msgpack.Decoder(list[Settlement])
_givers = msgspec.msgpack.Decoder(list[tuple[str, Given]])


def take_snapshot(line: Line) -> tuple[Snapshot, Mapping[str, Any]]:
    """Return a checkpoint of a line, and the changes that ``mark_committed`` wants afterwards.

    The line is not changed: where the commit fails, the next snapshot holds the same changes.
    """
    pending, early = line.pending.changes(), line.early.changes()
    settled, settled_first = line.settled.changes()
    givers, givers_first = line.opinions.givers.changes()
    state = {
        "scores": line.scores,
        "baselines": line.baselines,
        "counts": msgspec.structs.asdict(line.counts),
        "reasons": dict(line.reasons),
        "watermark": line.watermark,
        "probes": line.probes,
        "recent": list(line.recent),
        "arrivals": line.arrivals,
        "promotions": line.promotions,
        "frozen": None if line.frozen is None else line.frozen.known(),
    }
    parts: dict[str, bytes] = {}
    if (wanted := line.opinions.wanted) is not None and len(line.pending):
        rows, labels = wanted.renew(line.pending, pending.added), line.config.labels
        task = line.config.model.task
        parts[WANTED_PART] = write_wanted(rows, task, len(line.pending), labels.max_delay)
    chunks: dict[str, ChunkWrite] = {}
    reference: bytes | None = None
    watch = line.watch
    if watch is not None:
        state["detector"] = watch.monitor.concept.detector
        parts |= {WATCH_PART: write_watch(watch), VIEW_PART: view_of(watch)}
        reference = None if watch.reference is None else write_reference(watch.reference)
        chunks["first"] = ChunkWrite(watch.first.changes(), _ALL if watch.is_warm else 0)
        chunks["reference"] = ChunkWrite(reference, 0 if reference is None else _ALL)
    frozen = line.frozen
    fresh = None if frozen is None or not frozen.is_fresh else frozen.blob
    chunks["frozen"] = ChunkWrite(fresh, 0 if frozen is not None and fresh is None else _ALL)
    lifecycle = line.lifecycle
    if lifecycle is not None:
        parts[LIFECYCLE_PART] = pickle.dumps(lifecycle, 5)
        if watch is not None and not watch.decides:
            parts[GATES_PART] = write_gates(lifecycle)
    if line.adopted.count:
        parts[ADOPTED_PART] = pickle.dumps(line.adopted.known(), 5)
    if (keys := key_changes(line)) is not None:
        parts[KEYS_PART] = key_sum(line)
    snapshot = Snapshot(
        offsets={str(place): offset for place, offset in line.offsets.items()},
        version=line.version,
        parts=parts
        | {MODEL_PART: pickle.dumps(line.learner, 5), STATE_PART: pickle.dumps(state, 5)},
        chunks=chunks
        | {
            "pending": _write(pending, pending.first, bool(pending.added or pending.removed)),
            "early": _write(early, early.first, bool(early.added or early.removed)),
            "settled": _write(settled, settled_first, bool(settled)),
            "givers": _write(givers, givers_first, bool(givers)),
        },
        panes=() if watch is None else tuple(watch.rows),
        reference=reference,
        run_changes=() if lifecycle is None else tuple(lifecycle.changes),
        models=() if lifecycle is None else tuple(lifecycle.kept),
        conflicts=tuple(line.opinions.conflicts),
        adoptions=tuple(line.adopted.changes),
        keys=keys,
    )
    return snapshot, {
        "pending": pending,
        "early": early,
        "settled": (settled, settled_first),
        "givers": (givers, givers_first),
        "keys": keys,
    }


def mark_committed(line: Line, changes: Mapping[str, Any], number: int) -> None:
    """Tell a line that its changes were committed under a number."""
    line.pending.committed(changes["pending"], number)
    line.early.committed(changes["early"], number)
    for kept, kind in ((line.settled, "settled"), (line.opinions.givers, "givers")):
        added, first = changes[kind]
        kept.committed(len(added), first, number)
    mark_keys_committed(line, changes["keys"], number)
    line.opinions.mark_committed()
    line.adopted.mark_committed()
    if line.frozen is not None:
        line.frozen.is_fresh = False
    if line.watch is not None:
        line.watch.mark_committed()
    if line.lifecycle is not None:
        line.lifecycle.mark_committed()


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
    restore_keys(line, snapshot.key_rows)
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
    line.promotions = state["promotions"]
    frozen = chunks.get("frozen", [])
    thaw(line, state["frozen"], frozen[-1][1] if frozen else None)
    line.pending.restore([(n, _pending.decode(data)) for n, data in chunks.get("pending", [])])
    line.early.restore([(n, _early.decode(data)) for n, data in chunks.get("early", [])])
    line.settled.restore([(n, _settled.decode(data)) for n, data in chunks.get("settled", [])])
    given = [(n, _givers.decode(data)) for n, data in chunks.get("givers", [])]
    line.opinions.givers.restore(given)
    if line.watch is not None and (data := snapshot.parts.get(WATCH_PART)) is not None:
        made = [read_reference(data) for _, data in chunks.get("reference", [])]
        restore_watch(
            line.watch,
            data,
            reference=made[-1] if made else None,
            detector=state.get("detector"),
            first=list(chunks.get("first", [])),
        )
    if (adopted := snapshot.parts.get(ADOPTED_PART)) is not None:
        line.adopted.restore(load_adopted(adopted))
    if line.lifecycle is not None and (kept := snapshot.parts.get(LIFECYCLE_PART)) is not None:
        line.lifecycle = pickle.loads(kept)  # noqa: S301 (the store verified it)
        line.lifecycle.config = line.config.retrain


def load_adopted(part: bytes) -> dict[str, Any]:
    """Unpickle what was adopted alone; see ``Adopted.known``. It must have been verified."""
    known: dict[str, Any] = pickle.loads(part)  # noqa: S301 (the store verified it)
    return known


def load_learner(part: bytes) -> Any:
    """Unpickle the model part alone, for serving. It must have been verified."""
    return pickle.loads(part)  # noqa: S301 (the store verified it)


def _write(changes: object, first: int, any_change: bool) -> ChunkWrite:
    return ChunkWrite(msgspec.msgpack.encode(changes) if any_change else None, first)
