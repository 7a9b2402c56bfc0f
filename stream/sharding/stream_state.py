"""What the coordinator of a divided stream remembers, as a checkpoint of the stream itself."""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from stream.checkpoint import STATE_PART, VIEW_PART, WATCH_PART, Chunks, ChunkWrite, Snapshot
from stream.sharding.decisions import Decision
from stream.watching.groups import Group, Groups
from stream.watching.merged_watch import MergedWatch
from stream.watching.state import read_reference, restore_watch, write_reference, write_watch
from stream.watching.summary import View, summary_of, view_of

PROGRESS_PART = "progress"
_ALL = 1 << 62


class Progress(msgspec.Struct):
    """How far the stream's panes are.

    Parameters
    ----------
    merged
        By shard, the number of its last pane that is in one of the stream.
    offsets
        Next offset by partition, behind these panes.
    key, seconds
        Number of the stream's last pane on the axis of event time, and the length of a pane.
    late
        Events that came behind their pane of the stream.
    missed, damaged
        Panes of shards that were forgotten before they could be added, and that were damaged.
    closed_below
        Below which pane shards without events were told to close theirs.
    is_halted
        Whether the shards were told to learn nothing.
    decisions
        How many decisions there were.
    models
        Number of the last one on models, which evidence has to belong to.
    fresh
        The newest of them: published after they are committed, and once more by a successor.
    reference
        What was published as the stream's reference, until all that follow it are sure of it.
    """

    merged: dict[str, int] = {}
    offsets: dict[str, int] = {}
    key: int | None = None
    seconds: float | None = None
    late: int = 0
    missed: int = 0
    damaged: int = 0
    closed_below: int | None = None
    is_halted: bool = False
    decisions: int = 0
    models: int = 0
    fresh: list[tuple[int, Decision]] = []
    reference: bytes | None = None


def stream_snapshot(
    watch: MergedWatch,
    progress: Progress,
    offsets: dict[str, int],
    shards: Sequence[Mapping[str, Any]],
    views: Iterable[View],
) -> tuple[Snapshot, dict[str, Any]]:
    """Return the checkpoint of a stream, and the monitor's part of its status.

    Parameters
    ----------
    watch, progress
        The state.
    offsets
        Of all shards.
    shards
        The monitor's summary of each shard.
    views
        The monitor's view of each shard.
    """
    reference = None if watch.reference is None else write_reference(watch.reference)
    view = msgspec.json.decode(view_of(watch), type=View)
    groups = _merged_groups([*views, view])
    snapshot = Snapshot(
        offsets=offsets,
        version=watch.version,
        parts={
            WATCH_PART: write_watch(watch),
            VIEW_PART: msgspec.json.encode(
                msgspec.structs.replace(view, groups=groups.listed(), beyond=groups.beyond)
            ),
            STATE_PART: pickle.dumps({"detector": watch.monitor.concept.detector}, 5),
            PROGRESS_PART: msgspec.msgpack.encode(progress),
        },
        chunks={"reference": ChunkWrite(reference, 0 if reference is None else _ALL)},
        panes=tuple(watch.rows),
        reference=reference,
    )
    return snapshot, _summary(watch, shards, progress)


def restore_stream(watch: MergedWatch, snapshot: Snapshot, chunks: Chunks) -> Progress:
    """Make a fresh watch what it was, and return how far it had come.

    Parameters
    ----------
    watch
        Of the same configuration.
    snapshot, chunks
        Verified: a part is unpickled here.
    """
    state = pickle.loads(snapshot.parts[STATE_PART])  # noqa: S301 (the store verified it)
    made = [read_reference(data) for _, data in chunks.get("reference", [])]
    restore_watch(
        watch,
        snapshot.parts[WATCH_PART],
        reference=made[-1] if made else None,
        detector=state["detector"],
        first=[],
    )
    return msgspec.msgpack.decode(snapshot.parts[PROGRESS_PART], type=Progress)


def _merged_groups(views: Iterable[View]) -> Groups:
    """Add up the groups of anomalies of several views."""
    merged = Groups()
    for view in views:
        merged.beyond += view.beyond
        for found in view.groups:
            merged.add_group(msgspec.convert(found, Group))
    return merged


def _summary(
    watch: MergedWatch, shards: Sequence[Mapping[str, Any]], progress: Progress
) -> dict[str, Any]:
    """Return the stream's summary: what shards count as they have it, what is decided as it is."""
    summary = summary_of(watch)
    totals = [shard["totals"] for shard in shards]
    if summary["warm_up"] is not None:
        waiting = [shard["warm_up"]["events"] for shard in shards if shard["warm_up"]]
        summary["warm_up"]["events"] = sum(waiting)
    summary["open_pane"] = sum(shard["open_pane"] for shard in shards)
    summary["totals"] |= {name: sum(one[name] for one in totals) for name in ("events", "errors")}
    summary["totals"]["anomalies"] = _added_up(
        [*(one["anomalies"] for one in totals), summary["totals"]["anomalies"]]
    )
    summary["merged"] = {
        "shards": len(shards),
        "late": progress.late,
        "missed": progress.missed,
        "damaged": progress.damaged,
        "left_out": sum(shard.get("left_out", 0) for shard in shards),
    }
    return summary


def _added_up(counted: Iterable[dict[str, dict[str, int]]]) -> dict[str, dict[str, int]]:
    total: dict[str, Counter[str]] = {}
    for by_kind in counted:
        for kind, by_feature in by_kind.items():
            total.setdefault(kind, Counter()).update(by_feature)
    return {kind: dict(counts) for kind, counts in total.items()}
