"""What a report holds, as plain data, from the store alone: worker and API may be down."""

from __future__ import annotations

from typing import Any

import msgspec

from serve.api.monitoring.columns import column_report, distribution
from serve.drift_history import DriftHistory, NoPanesError, UnknownVersionError
from serve.report.panes import Past
from serve.report.verdict import verdict
from serve.status_reading import newest_of
from serve.stored_monitor import read_view
from stream.config import Config
from stream.storage.store import Store, StoredCheckpoint
from stream.versions import Versions
from stream.watching.losses import MEANINGS
from stream.watching.summary import performance_summary

COLUMNS_SHOWN = 12
_GROUPS, _RUNS, _NEWS = 50, 100, 50
# Addresses may hold passwords, and say nothing of the model.
_IDENTITY = ("event", "model", "labels", "monitor", "retrain")


def gather(
    store: Store, config: Config, start: float | None, end: float | None, now: float
) -> dict[str, Any]:
    """Return everything that a report shows.

    Parameters
    ----------
    store
        Only read.
    config
        The stream's.
    start, end
        Event time in seconds since the epoch; None for open.
    now
        Seconds since the epoch.

    Raises
    ------
    NoCheckpointError
        When there is nothing to report on.
    StoreError
    """
    newest = newest_of(store, config)
    status, drift = newest.status, DriftHistory(store, config)
    past = Past(store.history, drift, start, end)
    monitor, versions = status.get("monitor"), Versions(store)
    alarms = past.panes[-1].row.summary.alarms if past.panes else []
    columns = _columns(drift, start, end, None if start is not None else max(drift.spans))
    losses = performance_summary(past.performance)["mean_loss"]
    run, halted = (status.get("retrain") or {}).get("run"), _halted(store, newest)
    if end is not None and past.panes:  # how it was then
        monitor = {"state": past.panes[-1].row.summary.state, "warm_up": None}
        run = halted = None
    names = [name for _, name in alarms]
    judged = verdict(monitor, losses, names, past.alarm_since(), halted=halted, run=run)
    return {
        "stream": config.stream.name,
        "task": status["task"],
        "loss_means": MEANINGS[config.model.task],
        "made_at": now,
        "checkpoint": {"number": newest.number, "created_at": newest.created_at},
        "span": {
            "from": past.panes[0].row.first if past.panes else None,
            "to": past.panes[-1].row.last if past.panes else None,
            "asked_from": start,
            "asked_to": end,
            "panes": len(past.panes),
            "events": sum(one.row.events for one in past.panes),
        },
        "verdict": msgspec.to_builtins(judged),
        "state": None if monitor is None else monitor["state"],
        "serving": newest.version,
        "run": run,
        "counts": status["counts"],
        "scores": status["scores"],
        "rolling": status["rolling"],
        "mean_loss": losses,
        "panes": past.rows(),
        "ratios": past.ratios(),
        "drifts": past.drifts(),
        "columns": columns,
        "anomalies": _anomalies(store, start, end),
        "labels": status["labels"] | performance_summary(past.performance),
        "versions": [_version(one) for one in versions.all()[:_RUNS]],
        "runs": _runs(versions, start, end),
        "happenings": store.happenings(_NEWS),
        "configuration": _configuration(config, newest),
    }


def _columns(
    drift: DriftHistory, start: float | None, end: float | None, last: int | None
) -> dict[str, Any]:
    """Test the span, and give both distributions of the columns that went furthest."""
    try:
        found = drift.span(start, end, last=last)
    except (NoPanesError, UnknownVersionError) as error:
        return {"note": str(error), "against": None, "panes": 0, "tested": [], "shown": []}
    report, layout = found.report, found.reference.layout
    tested = [column_report(report.by_column[b.role, b.name][0], b.q) for b in report.blame]
    shown = [
        {
            "role": one.role,
            "name": one.name,
            "distribution": distribution(
                layout, layout.index[one.role, one.name], found.reference.total, found.pane
            ).model_dump(),
        }
        for one in tested[:COLUMNS_SHOWN]
        if one.status == "ALARM"
    ]
    return {
        "note": None,
        "against": found.version,
        "panes": found.panes,
        "first": found.first,
        "last": found.last,
        "tested": [one.model_dump() for one in tested],
        "shown": shown,
    }


def _anomalies(store: Store, start: float | None, end: float | None) -> dict[str, Any]:
    _, view = read_view(store)
    groups = [] if view is None else view.groups
    mine = [
        group
        for group in groups
        if (start is None or group["last"] >= 1000 * start)
        and (end is None or group["first"] < 1000 * end)
    ]
    mine.sort(key=lambda group: (group["severity"] != "error", -group["count"]))
    return {"groups": mine[:_GROUPS], "in_all": len(mine)}


def _version(one: Any) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(one)
    return {name: value for name, value in told.items() if name != "evidence"}


def _runs(versions: Versions, start: float | None, end: float | None) -> list[dict[str, Any]]:
    """Return the runs that something happened to in the span, newest first, with their story."""
    stories: dict[int, list[Any]] = {}
    for change in reversed(versions.all_changes):
        stories.setdefault(change["run"], []).append(change)
    found = []
    for number in sorted(stories, reverse=True):
        story = stories[number]
        last = story[-1]["time"] / 1000
        if (start is not None and last < start) or (
            end is not None and story[0]["time"] / 1000 >= end
        ):
            continue
        decided = [c for c in story if c["state"] in ("promoted", "rejected", "rolled_back")]
        gate = decided[-1]["detail"] if decided else {}
        found.append(
            {
                "run": number,
                "version": story[0]["version"],
                "state": story[-1]["state"],
                "trigger": story[0]["detail"].get("trigger"),
                "story": [
                    {"time": c["time"] / 1000, "state": c["state"], "sentence": c["sentence"]}
                    for c in story
                ],
                "gate": {
                    name: gate.get(name) for name in ("labels", "champion_loss", "challenger_loss")
                },
            }
        )
    return found[:_RUNS]


def _halted(store: Store, newest: StoredCheckpoint) -> str | None:
    """Return why the worker stopped, where nothing was committed after that."""
    for row in store.happenings(_NEWS):
        if row["kind"] == "halted":
            # A halt may stand in the very transaction of its checkpoint.
            return str(row["detail"]["message"]) if row["at"] >= newest.created_at else None
    return None


def _configuration(config: Config, newest: StoredCheckpoint) -> dict[str, Any]:
    sections = config.model_dump(mode="json", include=set(_IDENTITY), exclude_none=True)
    return {
        "fingerprint": newest.identity.fingerprint,
        "format": newest.identity.format,
        "libraries": newest.identity.libraries,
        "state_digest": newest.status.get("state_digest"),
        "sections": sections,
    }
