"""What the coordinator reads of the shards' rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec
import structlog

from stream.checkpoint import VIEW_PART
from stream.errors import CheckpointDamagedError
from stream.sharding.names import shard_number
from stream.sharding.stream_panes import Group
from stream.sharding.stream_state import Progress
from stream.storage.sharding import Shard
from stream.storage.store import Store
from stream.watching.kept_events import KeptEvents, room_for
from stream.watching.merged_watch import MergedWatch, Part, read_part
from stream.watching.summary import View

_log = structlog.get_logger("riverrun.coordinator")

News = list[tuple[str, dict[str, Any]]]


def monitor_of(shard: Shard) -> dict[str, Any]:
    """Return the monitor's summary in a shard's newest checkpoint; empty where there is none."""
    found = None if shard.newest is None else shard.newest.status.get("monitor")
    return found or {}


def first_events(
    shards: Sequence[Shard], stores: Mapping[str, Store], warmup_events: int
) -> dict[int, KeptEvents]:
    """Return what shards have kept of their first events, by partition.

    A checkpoint may be replaced between its row and its parts: that shard is left out.
    """
    kept: dict[int, KeptEvents] = {}
    for shard in shards:
        if shard.newest is None:
            continue
        with suppress(CheckpointDamagedError):
            _, chunks = stores[shard.name].load(shard.newest)
            one = KeptEvents(room_for(warmup_events))
            one.restore(list(chunks.get("first", [])), [])
            kept[shard_number(shard.name)] = one
    return kept


def readable(group: Group, progress: Progress, watch: MergedWatch) -> tuple[list[Part], News]:
    """Return the panes of a group that can be read, and what is to be told of the others.

    Parameters
    ----------
    group
        Panes of shards.
    progress
        Has them counted as merged afterwards.
    watch
        Its layout must be theirs.
    """
    parts: list[Part] = []
    news: News = []
    for name, stored in group.panes:
        expected = progress.merged.get(name, -1) + 1
        if stored.row.index > expected:
            missed = stored.row.index - expected
            progress.missed += missed
            news.append(("panes_missed", {"of": name, "panes": missed}))
            _log.error("panes_missed", shard=name, panes=missed)
        progress.merged[name] = stored.row.index
        try:
            if stored.damaged:
                raise ValueError(f"its {', '.join(stored.damaged)} do not fit their seals")
            part = read_part(stored.row)
            watch.refuse_misfit(part)
        except ValueError as error:
            progress.damaged += 1
            detail = {"of": name, "pane": stored.row.index, "message": str(error)}
            news.append(("pane_damaged", detail))
            _log.error("pane_damaged", **detail)
        else:
            parts.append(part)
            progress.offsets |= stored.row.offsets
    progress.late += group.late
    progress.key = group.key
    return parts, news


class Views:
    """The monitor's views of all shards, each read once for a checkpoint.

    Parameters
    ----------
    stores
        By name of the shard.
    """

    def __init__(self, stores: Mapping[str, Store]) -> None:
        self._stores = stores
        self._known: dict[str, tuple[int, View]] = {}

    def read(self, shards: Sequence[Shard]) -> list[View]:
        """Return the views of shards; the last known where a checkpoint was just replaced.

        Raises
        ------
        CheckpointDamagedError, StoreUnreachableError
        """
        for shard in shards:
            newest, known = shard.newest, self._known.get(shard.name)
            if newest is None or (known is not None and known[0] == newest.number):
                continue
            part = self._stores[shard.name].load_part(newest, VIEW_PART)
            if part is not None:
                self._known[shard.name] = newest.number, msgspec.json.decode(part, type=View)
        return [view for _, view in self._known.values()]
