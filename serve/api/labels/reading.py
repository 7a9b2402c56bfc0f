"""What the store says of wanted labels and of conflicts, for the API and the command line."""

from __future__ import annotations

from typing import Any

import msgspec

from serve.api.labels.shapes import (
    LabelConflict,
    LabelConflicts,
    Opinion,
    WantedLabel,
    WantedLabels,
)
from serve.api.monitoring.queries import cursor_of, moment
from stream.checkpoint import WANTED_PART
from stream.config import Config
from stream.storage.disagreements import Place
from stream.storage.store import Store, StoredCheckpoint

_TRIES = 3


def wanted_labels(store: Store, config: Config, budget: int | None = None) -> WantedLabels:
    """Return the predictions most worth a person's label.

    Parameters
    ----------
    store, config
        Of the stream.
    budget
        How many at most; ``labels.wanted_budget`` by default, and no more than that.

    Raises
    ------
    StoreError
    """
    most = config.labels.wanted_budget
    wanted_most = most if budget is None else min(budget, most)
    newest, data = _newest_part(store)
    found: dict[str, Any] = {} if data is None else msgspec.json.decode(data)
    rows = [_wanted(row) for row in found.get("wanted", [])[:wanted_most]]
    return WantedLabels(
        stream=config.stream.name,
        made_at=None if newest is None else moment(newest.created_at),
        waiting=found.get("waiting", 0),
        budget=wanted_most,
        note=None if rows else _why_none(config, newest, found),
        wanted=rows,
    )


def label_conflicts(
    store: Store, config: Config, limit: int, before: Place | None = None
) -> LabelConflicts:
    """Return labels that contradict each other, the newest first.

    Parameters
    ----------
    store, config
        Of the stream.
    limit
        How many at most.
    before
        Only those that came before this one.

    Raises
    ------
    StoreError
    """
    newest = store.newest()
    counted = 0 if newest is None else newest.status["labels"]["conflicting"]
    found = store.disagreements.newest(limit + 1, before)
    shown = [
        LabelConflict(
            id=one.id,
            learned=_opinion(one.learned, one.learned_by, one.learned_at),
            said=_opinion(one.said, one.said_by, one.said_at),
        )
        for _, one in found[:limit]
    ]
    return LabelConflicts(
        stream=config.stream.name,
        counted=counted,
        kept=store.disagreements.count(),
        conflicts=shown,
        next=cursor_of(found[limit - 1][0]) if len(found) > limit else None,
    )


def _newest_part(store: Store) -> tuple[StoredCheckpoint | None, bytes | None]:
    """Return the newest checkpoint and what it wants; it may be replaced while it is read."""
    newest = None
    for _ in range(_TRIES):
        newest = store.newest()
        if newest is None:
            return None, None
        data = store.load_part(newest, WANTED_PART)
        if data is not None or newest.status["counts"]["pending"] == 0:
            return newest, data
    return newest, None


def _why_none(config: Config, newest: StoredCheckpoint | None, found: dict[str, Any]) -> str:
    if config.labels.wanted_budget == 0:
        return "labels.wanted_budget is 0: nobody is asked"
    if newest is None:
        return "no checkpoint yet: start a worker with 'riverrun worker'"
    if not found.get("waiting"):
        return "no prediction waits for a label"
    if config.model.task == "regression":
        return (
            "a regression states no probability: predictions are ranked while a challenger runs "
            "in the shadow, by how far it and the model are apart"
        )
    return "the model is sure of all predictions that wait"


def _wanted(row: dict[str, Any]) -> WantedLabel:
    times = {name: moment(row[name] / 1000) for name in ("time", "until")}
    return WantedLabel(**(row | times))


def _opinion(label: Any, by: str | None, at: int | None) -> Opinion:
    return Opinion(label=label, by=by, at=None if at is None else moment(at / 1000))
