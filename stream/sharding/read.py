"""Whether a divided stream is read to its end."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from stream.log import Log
from stream.storage.sharding import Sharding


def is_read(log: Log, topics: Sequence[str], sharding: Sharding) -> bool:
    """Return whether the newest checkpoints of all shards reach the ends of all partitions.

    Raises
    ------
    LogError, StoreUnreachableError
    """
    offsets: dict[str, int] = {}
    for shard in sharding.all():
        if shard.newest is not None:
            offsets |= shard.newest.offsets
    with closing(log.source(topics)) as source:
        bounds = source.bounds()
    return all(offsets.get(str(place), held.earliest) >= held.end for place, held in bounds.items())
