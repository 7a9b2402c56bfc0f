"""The status of a stream from its newest checkpoint and its log; imports no River."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from serve.compose import Secrets, open_stream_log
from stream.checkpoint import VIEW_PART
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


_GROUPS_MAX, _DRIFTS_MAX = 20, 10
ADVICE = "start a worker with 'riverrun worker' or 'riverrun up'"


@contextmanager
def store_to_read(config: Config, secrets: Secrets) -> Iterator[Store]:
    """Open the store of a stream where it exists, and close it afterwards.

    Raises
    ------
    NoCheckpointError
        When there is none yet.
    StoreUnreachableError
    """
    from serve.compose import open_stream_store

    if (path := missing_file(config.stream.store)) is not None:
        name = config.stream.name
        raise NoCheckpointError(f"no checkpoint of {name!r} yet: {path} does not exist; {ADVICE}")
    with closing(open_stream_store(config, secrets)) as store:
        yield store


def newest_of(store: Store, config: Config, *, is_of_monitor: bool = False) -> StoredCheckpoint:
    """Return the newest checkpoint of a stream.

    Parameters
    ----------
    store, config
        Of the stream.
    is_of_monitor
        Whether only what the monitor says is wanted: of a divided stream, that there is.

    Raises
    ------
    NoCheckpointError
        When there is none yet, or none of the whole stream.
    StoreUnreachableError
    """
    newest, name = store.newest(), config.stream.name
    if config.stream.shards == "partition" and not is_of_monitor:
        raise NoCheckpointError(
            f'{name!r} is divided (stream.shards = "partition"), and this command knows whole '
            "streams only; 'riverrun status' shows its shards"
        )
    if newest is None:
        raise NoCheckpointError(f"no checkpoint of {name!r} on {store.url} yet; {ADVICE}")
    return newest


class _View(msgspec.Struct):
    """What is read of ``stream.watching.summary.View``, which imports River."""

    groups: list[dict[str, Any]]


def monitor_details(store: Store, stored: StoredCheckpoint) -> dict[str, Any]:
    """Return anomaly groups and changes of concept, which a status is too small for.

    Returns
    -------
    dict
        ``anomaly_groups``: errors first, then by count; ``drifts``: the newest first. Empty
        where nothing is watched.

    Raises
    ------
    CheckpointDamagedError, StoreUnreachableError
    """
    part = store.load_part(stored, VIEW_PART)
    groups = [] if part is None else msgspec.json.decode(part, type=_View).groups
    groups.sort(key=lambda group: (group["severity"] != "error", -group["count"]))
    news = store.happenings()
    drifts = [one["detail"]["drift"] for one in news if one["kind"] == "concept_drift"]
    return {"anomaly_groups": groups[:_GROUPS_MAX], "drifts": drifts[:_DRIFTS_MAX]}


def deliveries_of(store: Store) -> dict[str, Any]:
    """Return how each receiver of alerts, and the mirror, is doing: plain data by its name.

    Raises
    ------
    StoreUnreachableError
    """
    found: dict[str, Any] = msgspec.to_builtins(store.outbox.deliveries())
    return found


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


def lag_of(config: Config, secrets: Secrets, offsets: dict[str, int]) -> dict[str, Any]:
    """Return how far offsets are behind each partition's end, or why that is not known.

    Returns
    -------
    dict
        ``lag``: records by partition, or None; ``lag_error``: None, or a sentence.
    """
    try:
        return {"lag": _lag(config, secrets, offsets), "lag_error": None}
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
