"""What the routes about versions and runs read, and how it is shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from serve.api.lifecycle.shapes import (
    AskedOfWorker,
    Change,
    ModelDetails,
    ModelVersion,
    Retrain,
    Shadow,
)
from serve.api.monitoring.queries import moment
from serve.api.problems import ProblemError, problem_of
from serve.api.served_stream import ServedStream
from stream.people import REFUSED
from stream.storage.store import Store
from stream.versions import UnknownVersionError, Version, Versions


class VersionsCache:
    """The versions of streams, read anew where there is another checkpoint.

    They change with checkpoints only.
    """

    def __init__(self) -> None:
        self._found: dict[str, tuple[tuple[int, float], Versions]] = {}

    def of(self, stream: ServedStream) -> Versions:
        """Return a stream's versions. May block: call it in a thread."""
        newest = stream.history.store.newest()
        found = [newest, *(shard.newest for shard in stream.models.shards)]
        there = [one for one in found if one is not None]
        key = sum(one.number for one in there), sum(one.created_at for one in there)
        held = self._found.get(stream.name)
        if held is None or held[0] != key:
            self._found[stream.name] = held = (key, Versions(stream.history.store))
        return held[1]


def found_version(versions: Versions, version: str) -> Version:
    """Return a version, or end the request with a problem that names those there are."""
    try:
        return versions.one(version)
    except UnknownVersionError as error:
        known = error.known[-100:]
        raise ProblemError(problem_of(404, "unknown_version", str(error), known=known)) from None


def shown_version(one: Version) -> ModelVersion:
    """Return a version as answers show it."""
    fields = msgspec.to_builtins(one) | {"created_at": _at(one.created_at)}
    return ModelVersion(**fields, can_be_promoted=one.can_be_promoted)


def shown_details(one: Version, details: Mapping[str, Any]) -> ModelDetails:
    """Return all that is known of a version as answers show it."""
    fields = {**details, "schema_toml": details["schema"], "created_at": _at(one.created_at)}
    del fields["schema"]
    fields["history"] = [
        {**change, "at": _at(change["at"]), "time": moment(change["time"] / 1000)}
        for change in details["history"]
    ]
    return ModelDetails(**fields, can_be_promoted=one.can_be_promoted)


def shown_run(
    store: Store, run: int, changes: Iterable[Mapping[str, Any]], under_way: Mapping[str, Any]
) -> Retrain:
    """Return a run as answers show it.

    Parameters
    ----------
    store
        Asked how far a training is.
    run
        Its number.
    changes
        What happened to it, oldest first; at least one.
    under_way
        The run that is, as the status tells it.
    """
    told = list(changes)
    first, last = told[0], told[-1]
    asked = first["detail"].get("request") or {}
    mine = under_way.get("number") == run
    training = store.runs.training(run) if mine and under_way["phase"] == "training" else None
    shadows = under_way.get("shadows", []) if mine else []
    return Retrain(
        run=run,
        version=first["version"],
        state=last["state"],
        is_under_way=mine,
        trigger=asked.get("trigger", "person"),
        reason=asked.get("reason") or first["detail"].get("reason", ""),
        by=asked.get("by") or first["detail"].get("by", ""),
        began_at=_at(first["at"]),
        sentence=last["sentence"],
        training=None if training is None else {"state": training.state, **training.progress},
        shadows=[Shadow(**shadow) for shadow in shadows],
        changes=[shown_change(change) for change in told],
    )


def shown_change(change: Mapping[str, Any]) -> Change:
    """Return a change as answers show it; the schema is told by the version."""
    return Change(
        state=change["state"],
        run=change["run"],
        version=change["version"],
        at=_at(change["at"]),
        time=moment(change["time"] / 1000),
        sentence=change["sentence"],
        detail={key: value for key, value in change["detail"].items() if key != "schema"},
    )


def shown_request(stream: ServedStream, row: Mapping[str, Any]) -> AskedOfWorker:
    """Return a request as answers show it."""
    outcome = row["outcome"]
    refused = outcome is not None and outcome.startswith(REFUSED)
    return AskedOfWorker(
        request=row["id"],
        kind=row["kind"],
        state="waiting" if outcome is None else "refused" if refused else "done",
        outcome=outcome,
        by=row["by"],
        asked_at=_at(row["at"]),
        answered_at=None if row["handled_at"] is None else _at(row["handled_at"]),
        url=f"/v1/streams/{stream.name}/requests/{row['id']}",
    )


def _at(seconds: float) -> datetime:
    found = moment(seconds)
    if found is None:
        raise ValueError(f"{seconds} is no time")
    return found
