"""Alerts: what happened on a stream, as values; from the rows that a checkpoint came with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from stream.storage.outbox import Choose, Message, News
from stream.telling_sections import AlertKind

Severity = Literal["critical", "warning", "info"]


@dataclass(frozen=True, slots=True)
class Kind:
    """What is known of a kind of alert.

    Parameters
    ----------
    name
        What Alertmanager calls it.
    severity
        How bad it is.
    lasts
        Whether it holds until something ends it; others are over when they have happened.
    """

    name: str
    severity: Severity
    lasts: bool = False

    @property
    def runbook(self) -> str:
        """Where it is written what to do, as Prometheus' rules say it for theirs."""
        return f"docs/runbook.md#{self.name.lower()}"


AnyKind = AlertKind | Literal["test"]

KINDS: Mapping[AnyKind, Kind] = {
    "halted": Kind("RiverrunHalted", "critical", lasts=True),
    "paused": Kind("RiverrunLearningPaused", "critical", lasts=True),
    "drift": Kind("RiverrunDrift", "warning", lasts=True),
    "skew": Kind("RiverrunSkew", "warning", lasts=True),
    "began": Kind("RiverrunRetrainBegan", "info"),
    "promoted": Kind("RiverrunPromoted", "info"),
    "rejected": Kind("RiverrunRejected", "info"),
    "failed": Kind("RiverrunRetrainFailed", "warning"),
    "cancelled": Kind("RiverrunRetrainCancelled", "info"),
    "kept": Kind("RiverrunProbationPassed", "info"),
    "rolled_back": Kind("RiverrunRolledBack", "warning"),
    "recovery": Kind("RiverrunRecovery", "warning"),
    "schema": Kind("RiverrunSchemaRefused", "warning"),
    "test": Kind("RiverrunTest", "info"),
}
"""Every kind of alert, and the one that people try with."""

_OF_RUNS: Mapping[str, AlertKind] = {
    "training": "began",
    "promoted": "promoted",
    "rejected": "rejected",
    "failed": "failed",
    "cancelled": "cancelled",
    "kept": "kept",
    "rolled_back": "rolled_back",
}
_RECOVERY = {
    "gap": "Records expired unread, and the worker went on behind them",
    "log_truncated": "The log ends before a checkpoint",
    "log_replaced": "A topic was made anew",
    "checkpoint_damaged": "A checkpoint is damaged and was passed over",
    "went_back": "The worker went back to an older checkpoint",
    "rebuild": "The state is built anew from the log",
}
_OVER = {
    "halted": "The worker commits again",
    "paused": "Learning goes on",
    "drift": "The drift is over",
    "skew": "The values have settled",
}


class Alert(msgspec.Struct, frozen=True):
    """Something a person on call is told.

    Parameters
    ----------
    id
        The same however often it is sent, so that a receiver can drop repeats.
    kind
        One of ``KINDS``.
    status
        Whether it holds, or is over.
    severity
        How bad it is.
    stream
        Where it happened.
    started_at, ended_at
        Seconds since the epoch at which it came true, and was over.
    summary
        A sentence.
    detail
        The numbers.
    version
        The model version it is about; empty where it is about none.
    """

    id: str
    kind: AnyKind
    status: Literal["firing", "resolved"]
    severity: Severity
    stream: str
    started_at: float
    ended_at: float | None
    summary: str
    detail: dict[str, Any]
    version: str = ""


def alert(
    stream: str,
    kind: AnyKind,
    what: str,
    at: float,
    summary: str,
    detail: Mapping[str, Any],
    version: str = "",
) -> Alert:
    """Return an alert that begins to hold.

    Parameters
    ----------
    stream
        Where it happened.
    kind
        Of ``KINDS``.
    what
        What tells it from others of its kind.
    at
        Seconds since the epoch.
    summary, detail
        A sentence, and the numbers.
    version
        The model version it is about.
    """
    # A full stop separates the parts of what a webhook's signature is of.
    key = f"{stream}/{kind}/{what}".replace(".", "_")
    severity = KINDS[kind].severity
    return Alert(key, kind, "firing", severity, stream, at, None, summary, dict(detail), version)


def resolved(firing: Alert, at: float) -> Alert:
    """Return the news that an alert is over.

    Examples
    --------
    >>> first = alert("s", "drift", "7", 1.0, "The loss is worse", {})
    >>> over = resolved(first, 9.0)
    >>> over.id, over.status, over.started_at, over.ended_at, over.summary
    ('s/drift/7/resolved', 'resolved', 1.0, 9.0, 'The drift is over')
    """
    return msgspec.structs.replace(
        firing,
        id=f"{firing.id}/resolved",
        status="resolved",
        ended_at=at,
        summary=_OVER.get(firing.kind, "It is over"),
    )


def choosing(stream: str, wanted: Sequence[AlertKind]) -> Choose:
    """Return what turns news into the alerts of the wanted kinds.

    Parameters
    ----------
    stream
        Where it happens.
    wanted
        The section's ``on``.
    """

    def choose(news: News, state: dict[str, Any]) -> tuple[list[Message], dict[str, Any]]:
        board = _Board(stream, frozenset(wanted), standing(state))
        # What came with one checkpoint has one time; the sort leaves it in order.
        rows: list[tuple[float, Callable[[Mapping[str, Any]], None], Mapping[str, Any]]]
        rows = [(row["at"], board.happened, row) for row in news.happenings]
        rows += [(row["at"], board.changed, row) for row in news.changes]
        for _, take, row in sorted(rows, key=lambda one: one[0]):
            take(row)
        if news.newest is not None:
            monitor = news.newest.status.get("monitor") or {}
            board.settle(monitor.get("state", "OK"), news.newest.created_at)
        found = [Message(a.id, a.ended_at or a.started_at, plain(a)) for a in board.alerts]
        return found, {"standing": {kind: plain(one) for kind, one in board.standing.items()}}

    return choose


def standing(state: Mapping[str, Any]) -> dict[str, Alert]:
    """Return the alerts that hold, by kind, from what a receiver remembers."""
    return {kind: read_alert(one) for kind, one in state.get("standing", {}).items()}


def plain(one: Alert) -> dict[str, Any]:
    """Return an alert as plain data."""
    data: dict[str, Any] = msgspec.to_builtins(one)
    return data


def read_alert(data: Mapping[str, Any]) -> Alert:
    """Return an alert from plain data."""
    return msgspec.convert(data, Alert)


def moment(seconds: float) -> str:
    """Return a time as RFC 3339 text.

    Examples
    --------
    >>> moment(0.5)
    '1970-01-01T00:00:00.500Z'
    """
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


class _Board:
    """The alerts that hold, and those that come of the news."""

    def __init__(
        self, stream: str, wanted: frozenset[AlertKind], standing: dict[str, Alert]
    ) -> None:
        self.standing = standing
        self.alerts: list[Alert] = []
        self._stream = stream
        self._wanted = wanted
        self._halted_at = standing["halted"].detail["last"] if "halted" in standing else 0.0

    def happened(self, row: Mapping[str, Any]) -> None:
        """Take in a happening."""
        kind, at, detail = row["kind"], row["at"], row["detail"]
        if kind == "halted":
            self._halted_at = at
            self._add("halted", row["id"], at, f"The worker stopped: {detail['message']}", detail)
        elif kind in ("pane", "schema"):
            self._acted(row)
        elif kind == "schema_refused":
            self._add("schema", row["id"], at, f"The schema is wrong: {detail['message']}", detail)
        elif kind in _RECOVERY:
            reason = detail.get("message") or detail.get("reason")
            summary = _RECOVERY[kind] + (f": {reason}" if reason else ".")
            self._add("recovery", row["id"], at, summary, {"happening": kind} | detail)

    def changed(self, row: Mapping[str, Any]) -> None:
        """Take in a change of a run."""
        kind = _OF_RUNS.get(row["state"])
        if kind is not None:
            detail = {"run": row["run"], "event_time": row["time"]} | row["detail"]
            what = f"run/{row['run']}"
            self._add(kind, what, row["at"], row["sentence"], detail, row["version"])

    def settle(self, state: str, now: float) -> None:
        """End what holds no more.

        Parameters
        ----------
        state
            The monitor's, at the newest checkpoint.
        now
            When that was made.
        """
        if now > self._halted_at:
            self._end("halted", now)
        if state != "HALTED":
            self._end("paused", now)
        if state == "OK":
            self._end("drift", now)
            self._end("skew", now)

    def _acted(self, row: Mapping[str, Any]) -> None:
        """Take in what the monitor wanted done where a pane closed or the schema changed."""
        at, detail = row["at"], row["detail"]
        wanted, what = detail["wanted"], detail["time"]
        if "resume" in wanted:
            self._end("paused", at)
        if "alert" not in wanted:
            return
        pane, names = detail["pane"], ", ".join(detail["alarms"][:3])
        if "pause" in wanted:
            share = detail["signals"]["error_fraction"]
            summary = f"Learning is paused: {share:.1%} of pane {pane} breaks the schema"
            self._add("paused", what, at, summary, detail)
        elif detail["state"] == "DRIFT":
            also = f", and these values: {names}" if names else ""
            self._add("drift", what, at, f"Drift in pane {pane}: the loss changed{also}", detail)
        else:
            about = names or "the predictions, or the loss"
            self._add("skew", what, at, f"Values have shifted in pane {pane}: {about}", detail)

    def _add(
        self,
        kind: AlertKind,
        what: object,
        at: float,
        summary: str,
        detail: Mapping[str, Any],
        version: str = "",
    ) -> None:
        if kind not in self._wanted:
            return
        new = alert(self._stream, kind, str(what), at, summary, detail, version)
        if KINDS[kind].lasts:
            if kind == "halted":
                new = msgspec.structs.replace(new, detail=new.detail | {"last": at})
            held = self.standing.get(kind)
            self.standing[kind] = new if held is None else _again(held, new)
            if held is not None:
                return
        self.alerts.append(new)

    def _end(self, kind: AlertKind, at: float) -> None:
        held = self.standing.pop(kind, None)
        if held is not None:
            self.alerts.append(resolved(held, at))


def _again(held: Alert, new: Alert) -> Alert:
    """Return what held already, with what is known of it now: it is not told twice."""
    return msgspec.structs.replace(held, detail=new.detail)
