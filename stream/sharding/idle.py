"""Shards that have read everything, and whose panes of event time would never close."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from stream.clock import Clock
from stream.log import Bounds
from stream.records import TopicPartition
from stream.sharding.names import shard_number
from stream.storage.sharding import Shard


class IdleShards:
    """Looks for shards behind the others at whose partitions' ends nothing has come for a while.

    Parameters
    ----------
    bounds
        What each partition holds now.
    patience
        Seconds for which nothing has to come.
    clock
        The machine's, but in tests.
    """

    def __init__(
        self, bounds: Callable[[], dict[TopicPartition, Bounds]], patience: float, clock: Clock
    ) -> None:
        self._bounds = bounds
        self._patience = patience
        self._clock = clock
        self._since: dict[str, tuple[dict[str, int], float]] = {}

    def below(self, shards: Sequence[Shard], count: int) -> int | None:
        """Return below which number panes are over for those shards, or None.

        Parameters
        ----------
        shards
            That have checkpoints.
        count
            Of all shards: while one of them has none, it is not known how far it is.

        Raises
        ------
        LogError
        """
        keys = {shard.name: _key(shard) for shard in shards}
        top = max((key for key in keys.values() if key is not None), default=None)
        if top is None or len(shards) < count:
            return None
        behind = [shard for shard in shards if (key := keys[shard.name]) is None or key < top]
        if not behind:
            self._since.clear()
            return None
        idle = self._idle(behind)
        others = [key for name, key in keys.items() if name not in idle]
        if not idle or None in others:
            return None
        goal = min((key for key in others if key is not None), default=top)
        waits = any((key := keys[name]) is None or key < goal for name in idle)
        return goal if waits else None

    def _idle(self, behind: list[Shard]) -> set[str]:
        bounds, now = self._bounds(), self._clock.monotonic()
        since: dict[str, tuple[dict[str, int], float]] = {}
        for shard in behind:
            offsets = {} if shard.newest is None else shard.newest.offsets
            if _is_at_the_end(shard, offsets, bounds):
                known = self._since.get(shard.name)
                same = known is not None and known[0] == offsets
                since[shard.name] = known if same and known is not None else (offsets, now)
        self._since = since
        return {name for name, (_, at) in since.items() if now - at >= self._patience}


def _is_at_the_end(
    shard: Shard, offsets: dict[str, int], bounds: dict[TopicPartition, Bounds]
) -> bool:
    number = shard_number(shard.name)
    return all(
        offsets.get(str(place), held.earliest) >= held.end
        for place, held in bounds.items()
        if place.partition == number
    )


def _key(shard: Shard) -> int | None:
    monitor = None if shard.newest is None else shard.newest.status.get("monitor")
    found: int | None = None if monitor is None else monitor.get("pane_key")
    return found
