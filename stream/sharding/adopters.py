"""What the shards of a stream adopt, as its configuration says."""

from __future__ import annotations

from stream.config import Config
from stream.sharding.adoption import Adopter
from stream.sharding.averaging.average import Averager


def adopters_of(config: Config, shard: str) -> list[Adopter]:
    """Return what takes the shared things of a stream into one of its shards.

    Parameters
    ----------
    config
        The stream's.
    shard
        The name of the shard in the store.
    """
    return [Averager(shard)] if config.model.share == "averaged" else []
