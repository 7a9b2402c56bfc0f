"""How a shard takes what the coordinator publishes."""

from __future__ import annotations

import msgspec

from monitor.trigger import State
from stream.frozen import freeze_first
from stream.lifecycle.following import follow
from stream.line import Line
from stream.sharding.decisions import KIND, REFERENCE, Decision
from stream.storage.shared import Shared
from stream.watching.findings import Finding
from stream.watching.shard_watch import ShardWatch
from stream.watching.stream_reference import StreamReference


class ReferenceAdopter:
    """Takes the reference of the stream.

    Parameters
    ----------
    partition
        The shard's.
    """

    kind = REFERENCE
    newest_only = False

    def __init__(self, partition: int) -> None:
        self._partition = partition

    def adopt(self, line: Line, shared: Shared) -> None:
        """Compare with the reference from now on."""
        watch = line.watch
        if not isinstance(watch, ShardWatch):
            return
        found = msgspec.json.decode(shared.data, type=StreamReference)
        if watch.adopt(found, self._partition):
            freeze_first(line, [Finding("reference", found.time)])


class DecisionAdopter:
    """Obeys what was decided for the stream."""

    kind = KIND
    newest_only = False

    def adopt(self, line: Line, shared: Shared) -> None:
        """Do what was decided."""
        watch, decision = line.watch, Decision.from_bytes(shared.data)
        if not isinstance(watch, ShardWatch):
            return
        if decision.models is not None:
            follow(line, decision.models, shared.number)
        elif decision.what == "close":
            watch.close_below(decision.below)
        else:
            watch.follow(State.HALTED if decision.what == "halt" else State.OK)
