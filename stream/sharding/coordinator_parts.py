"""What a coordinator is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from stream.storage.sharding import Shard

Describe = Callable[[Sequence[Shard], float], dict[str, Any]]
"""From the shards, and seconds since the epoch, to a status without its monitor."""


class Publish(Protocol):
    """Publishes something for all shards, once under a number."""

    def __call__(
        self, kind: str, number: int, data: bytes, detail: Mapping[str, Any], now: float
    ) -> bool:
        """Return whether it is new."""
