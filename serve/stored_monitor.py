"""The monitor's part of the store as values: what a checkpoint shows, and the counts of a pane."""

from __future__ import annotations

import msgspec

from monitor.arrays import IntArray
from monitor.errors import DamagedError
from monitor.panes import Pane
from monitor.performance import Performance
from monitor.schema import Schema
from monitor.schema_text import schema_from_toml
from stream.checkpoint import VIEW_PART
from stream.errors import CheckpointDamagedError
from stream.storage.history import StoredPane
from stream.storage.store import Store, StoredCheckpoint
from stream.watching.beside import Beside
from stream.watching.pane_row import unpack_scores
from stream.watching.summary import View

_TRIES = 3  # a checkpoint may be replaced between its row and its part


def pane_of(stored: StoredPane, cells: int | None = None) -> Pane:
    """Return the counts of a stored pane.

    Parameters
    ----------
    stored
        As the history gives it.
    cells
        Of its layout, where that is known.

    Raises
    ------
    CheckpointDamagedError
        Not a pane, or not of that many cells.
    """
    _refuse_damaged(stored, "data")
    try:
        pane = Pane.from_bytes(stored.row.data)
        if cells is not None and len(pane.counts) != cells:
            raise DamagedError("pane", f"it has {len(pane.counts)} cells instead of {cells}")
    except DamagedError as error:
        raise CheckpointDamagedError(f"pane {stored.row.index} is damaged: {error}") from None
    return pane


def scores_of(stored: StoredPane) -> tuple[Performance, IntArray, Beside]:
    """Return a stored pane's performance, confidences and losses beside the frozen model.

    See ``pane_row.unpack_scores``.

    Raises
    ------
    CheckpointDamagedError
    """
    _refuse_damaged(stored, "scores")
    try:
        return unpack_scores(stored.row.scores)
    except ValueError as error:
        raise CheckpointDamagedError(f"pane {stored.row.index}: {error}") from None


def _refuse_damaged(stored: StoredPane, blob: str) -> None:
    if blob in stored.damaged:
        raise CheckpointDamagedError(
            f"pane {stored.row.index} is damaged: its {blob} do not fit their seal"
        )


class _SchemaOnly(msgspec.Struct):
    schema: str | None


def read_schema(
    store: Store, stored: StoredCheckpoint, known: str | None
) -> tuple[str, Schema | None] | None:
    """Return a checkpoint's schema as text and as a value; None where it has none.

    Parameters
    ----------
    store
        Which holds it.
    stored
        The checkpoint.
    known
        Text that was read before: where it is the same there is no value beside it. It goes on
        where the checkpoint was replaced just now.

    Raises
    ------
    CheckpointDamagedError, StoreUnreachableError
    """
    part = store.load_part(stored, VIEW_PART)
    text = known if part is None else msgspec.json.decode(part, type=_SchemaOnly).schema
    if text is None:
        return None
    return text, None if text == known else schema_from_toml(text)


def read_view(store: Store) -> tuple[StoredCheckpoint | None, View | None]:
    """Return the newest checkpoint, and the monitor in full as it has it.

    Either is None where there is none: before the first checkpoint, and of a worker whose monitor
    is switched off.

    Raises
    ------
    CheckpointDamagedError, StoreUnreachableError
    """
    newest = None
    for _ in range(_TRIES):
        newest = store.newest()
        if newest is None:
            return None, None
        part = store.load_part(newest, VIEW_PART)
        if part is not None:
            return newest, msgspec.json.decode(part, type=View)
        if newest.status.get("monitor") is None:
            return newest, None
    number = None if newest is None else newest.number
    raise CheckpointDamagedError(f"checkpoint {number}: its part {VIEW_PART!r} is missing")
