"""The status of a stream from its newest checkpoint and its log; imports no River."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from serve.compose import Secrets, open_stream_log
from stream.config import Config
from stream.errors import LogError, RiverrunError

if TYPE_CHECKING:
    from stream.storage.store import Store, StoredCheckpoint


class NoCheckpointError(RiverrunError):
    """Raised where a stream has nothing to show yet."""


def missing_file(url: str) -> Path | None:
    """Return the file of a ``sqlite:///`` URL where it does not exist: to look is not to make it.

    Examples
    --------
    >>> missing_file("sqlite:///no/such/file.db")
    PosixPath('no/such/file.db')
    >>> missing_file("kafka://localhost:9092") is None
    True
    """
    prefix = "sqlite:///"
    if not url.startswith(prefix):
        return None
    path = Path(url.removeprefix(prefix))
    return None if path.exists() else path


def newest_checkpoint(config: Config, secrets: Secrets) -> StoredCheckpoint:
    """Return the newest checkpoint of a stream.

    Raises
    ------
    NoCheckpointError
        When there is none yet.
    StoreUnreachableError
    """
    from serve.compose import open_stream_store

    name = config.stream.name
    advice = "start a worker with 'riverrun worker' or 'riverrun up'"
    if (path := missing_file(config.stream.store)) is not None:
        raise NoCheckpointError(f"no checkpoint of {name!r} yet: {path} does not exist; {advice}")
    with closing(open_stream_store(config, secrets)) as store:
        newest = store.newest()
    if newest is None:
        raise NoCheckpointError(f"no checkpoint of {name!r} on {store.url} yet; {advice}")
    return newest


def deliveries_of(store: Store) -> dict[str, Any]:
    """Return how each receiver of alerts, and the mirror, is doing: plain data by its name.

    Raises
    ------
    StoreUnreachableError
    """
    found: dict[str, Any] = msgspec.to_builtins(store.outbox.deliveries())
    return found


def read_deliveries(config: Config, secrets: Secrets) -> dict[str, Any]:
    """Return what ``deliveries_of`` does, of the store that a configuration names.

    Raises
    ------
    StoreUnreachableError
    """
    from serve.compose import open_stream_store

    with closing(open_stream_store(config, secrets)) as store:
        return deliveries_of(store)


def shown_status(stored: StoredCheckpoint, now: float) -> dict[str, Any]:
    """Return the status that a checkpoint holds, with its number and age.

    Parameters
    ----------
    stored
        The checkpoint.
    now
        Seconds since the epoch.
    """
    return stored.status | {
        "checkpoint": stored.number,
        "checkpoint_created_at": stored.created_at,
        "checkpoint_age_seconds": max(0.0, now - stored.created_at),
    }


def lag_of(config: Config, secrets: Secrets, stored: StoredCheckpoint) -> dict[str, Any]:
    """Return how far a checkpoint is behind each partition's end, or why that is not known.

    Returns
    -------
    dict
        ``lag``: records by partition, or None; ``lag_error``: None, or a sentence.
    """
    try:
        return {"lag": _lag(config, secrets, stored.offsets), "lag_error": None}
    except LogError as error:
        return {"lag": None, "lag_error": str(error)}


def _lag(config: Config, secrets: Secrets, offsets: dict[str, int]) -> dict[str, int]:
    if (path := missing_file(config.stream.broker)) is not None:
        raise LogError(f"event log {path} does not exist")
    with closing(open_stream_log(config, secrets)) as log:
        bounds = log.source([config.events_topic, config.labels_topic]).bounds()
    return {
        str(place): max(0, held.end - offsets.get(str(place), held.earliest))
        for place, held in bounds.items()
    }
