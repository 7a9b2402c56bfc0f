"""What one checkpoint holds, as plain data: the store writes it and knows no more of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from stream.adopted import Adoption
from stream.keys.rows import KeyRow, KeyWrite
from stream.lifecycle.run import KeptModel, RunChange
from stream.opinions import Conflict
from stream.recent import RecentWrite
from stream.watching.pane_row import PaneRow

FORMAT = 3
"""Rises when a checkpoint of this code cannot be read by the code before, or the other way."""

MODEL_PART = "model"
STATE_PART = "state"
WATCH_PART = "watch"
VIEW_PART = "view"
LIFECYCLE_PART = "lifecycle"
WANTED_PART = "wanted"
ADOPTED_PART = "adopted"
GATES_PART = "gates"
KEYS_PART = "keys"

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
    panes
        Panes that closed since the last checkpoint, in order.
    reference
        The monitor's reference, where it is another than at the last checkpoint.
    run_changes, models
        What happened to retraining runs, and models to keep, since the last checkpoint.
    conflicts
        Labels that contradict others, since the last checkpoint.
    recent
        What came lately, for people who look; None where nobody collects it.
    adoptions
        What was taken in from outside, since the last checkpoint.
    keys
        Models of keys that changed since the last checkpoint; None where there are none.
    key_rows
        Where it was read: the rows of all keys without their models, by turn.
    """

    offsets: dict[str, int]
    version: str
    parts: dict[str, bytes]
    chunks: dict[str, ChunkWrite]
    panes: Sequence[PaneRow] = ()
    reference: bytes | None = None
    run_changes: Sequence[RunChange] = ()
    models: Sequence[KeptModel] = ()
    conflicts: Sequence[Conflict] = ()
    recent: RecentWrite | None = None
    adoptions: Sequence[Adoption] = ()
    keys: KeyWrite | None = None
    key_rows: Sequence[KeyRow] = ()

    def why(self, otherwise: str) -> str:
        """Return why its version exists: the last change that put it in place, or what is given."""
        for change in reversed(self.run_changes):
            if change.detail.get("now") == self.version:
                return change.sentence
        return otherwise
