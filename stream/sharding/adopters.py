"""What the shards of a stream adopt, as its configuration says."""

from __future__ import annotations

from stream.config import Config
from stream.sharding.adoption import Adopter
from stream.sharding.averaging.average import Averager
from stream.sharding.monitor_adopters import DecisionAdopter, ReferenceAdopter
from stream.sharding.names import shard_number


def adopters_of(config: Config, shard: str) -> list[Adopter]:
    """Return what takes the shared things of a stream into one of its shards.

    Parameters
    ----------
    config
        The stream's.
    shard
        The name of the shard in the store.
    """
    adopters: list[Adopter] = []
    if config.monitor.enabled:
        adopters += [ReferenceAdopter(shard_number(shard)), DecisionAdopter()]
    if config.model.share == "averaged":
        adopters.append(Averager(shard))
    return adopters
