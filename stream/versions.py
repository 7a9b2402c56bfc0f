"""The versions of a stream's models: where each comes from, and what became of it.

Put together from what the store holds: versions that served, changes of runs, kept models and
references. Nothing here is unpickled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, cast

import msgspec

from stream.errors import InputError
from stream.storage.store import Store

State = Literal[
    "serving",
    "probation",
    "training",
    "racing",
    "shadow",
    "rejected",
    "failed",
    "cancelled",
    "rolled_back",
    "kept",
    "gone",
]
_TOOK_OVER = ("promoted", "rolled_back")
_UNDER_WAY = ("training", "racing", "shadow")
Change = Mapping[str, Any]


class UnknownVersionError(InputError):
    """No version of that name was ever made."""

    def __init__(self, version: str, known: Sequence[str]) -> None:
        self.known = list(known)
        shown = ", ".join(self.known[-10:]) or "none yet"
        super().__init__(f"there is no version {version[:100]!r}; there are: {shown}")


class Version(msgspec.Struct, frozen=True):
    """One version of a stream's model.

    Parameters
    ----------
    version
        Its name, such as ``v3``.
    state
        What it is now. ``kept`` served once, or was imported, and can be promoted; of ``gone``
        nothing is left.
    created_at
        Seconds since the epoch of the checkpoint in which it was first written of.
    run
        That made it; None for the first of a stream, a rebuild, or an import.
    trigger, reason, by
        Why it was made, and who asked; ``by`` is empty for the system itself.
    evidence
        The numbers behind the trigger.
    decision
        The last sentence on it, and the numbers of its gate.
    gate
        Labels, losses of both, and the evidence, where it faced another at the gate.
    scores
        Progressive scores of its training, by metric.
    moments
        When its model was kept: ``promoted``, ``left``, ``imported``.
    has_reference
        Whether the counts of what it was trained on are stored.
    """

    version: str
    state: State
    created_at: float
    run: int | None
    trigger: str
    reason: str
    by: str
    evidence: dict[str, Any]
    decision: str
    gate: dict[str, Any]
    scores: dict[str, float | None]
    moments: list[str]
    has_reference: bool

    @property
    def can_be_promoted(self) -> bool:
        """Whether its model is kept, and it does not serve."""
        return bool(self.moments) and self.state not in ("serving", "probation")


class Versions:
    """What a store knows of versions, read once.

    Parameters
    ----------
    store
        Only read.

    Attributes
    ----------
    serving
        The version of the newest checkpoint; None before the first.
    under_way
        The run that is under way, as the status tells it; empty for none.
    served
        By version, the row of each that ever served.
    all_changes
        What happened to runs, newest first.
    """

    def __init__(self, store: Store) -> None:
        newest = store.newest()
        self.serving = None if newest is None else newest.version
        status = {} if newest is None else newest.status.get("retrain") or {}
        self.under_way: dict[str, Any] = status.get("run") or {}
        self.served = {row["version"]: row for row in store.versions()}
        self._moments: dict[str, list[str]] = {}
        self._at: dict[str, float] = {}
        for row in store.runs.kept():
            moments = self._moments.setdefault(row["version"], [])
            if row["moment"] not in moments:
                moments.append(row["moment"])
            self._at.setdefault(row["version"], row["at"])
        self._references = set(store.history.versions())
        self._changes: dict[str, list[Change]] = {}
        self.all_changes: list[Change] = list(store.runs.changes(limit=None))
        for change in reversed(self.all_changes):
            self._changes.setdefault(change["version"], []).append(change)

    def names(self) -> list[str]:
        """Return every version, oldest first."""
        found = {*self.served, *self._changes, *self._moments}
        return sorted(found, key=_number)

    def all(self) -> list[Version]:
        """Return every version, newest first."""
        return [self.one(name) for name in reversed(self.names())]

    def changes(self, version: str) -> list[Change]:
        """Return what happened to a version, oldest first."""
        return self._changes.get(version, [])

    def one(self, version: str) -> Version:
        """Return one version.

        Raises
        ------
        UnknownVersionError
        """
        if version not in self.names():
            raise UnknownVersionError(version, self.names())
        changes, row = self.changes(version), self.served.get(version)
        first = changes[0] if changes else None
        origin = _origin(first, row)
        decided = [c for c in changes if c["state"] in (*_TOOK_OVER, "rejected")]
        gate = decided[-1]["detail"] if decided else {}
        trained = detail_of(changes, "scores")
        times = [first["at"] if first else None, row["created_at"] if row else None]
        return Version(
            version=version,
            state=self._state(version),
            created_at=min(t for t in (*times, self._at.get(version)) if t is not None),
            **origin,
            decision=str(changes[-1]["sentence"]) if changes else "",
            gate={key: gate[key] for key in _GATE if key in gate},
            scores=dict((trained.get("scores") or {}).get("model") or {}),
            moments=self._moments.get(version, []),
            has_reference=version in self._references,
        )

    def _state(self, version: str) -> State:
        changes = self.changes(version)
        last = changes[-1]["state"] if changes else ""
        if version == self.serving:
            return "probation" if self.under_way.get("phase") == "probation" else "serving"
        if last in _UNDER_WAY:  # a rebuild forgets what was under way
            return cast("State", last) if version == self.under_way.get("version") else "gone"
        if self._moments.get(version):
            return "rolled_back" if last == "rolled_back" else "kept"
        return cast("State", last) if last in ("rejected", "failed", "cancelled") else "gone"


_GATE = (
    "labels",
    "champion_loss",
    "challenger_loss",
    "log_evidence_better",
    "log_evidence_worse",
    "log_evidence_not_worse",
    "verdict",
    "goal",
    "worse_in",
    "overruled",
)


def detail_of(changes: Iterable[Change], key: str) -> dict[str, Any]:
    """Return the detail of the last change that says something of a kind; empty for none."""
    found = [change["detail"] for change in changes if key in change["detail"]]
    return dict(found[-1]) if found else {}


def pipeline_of(changes: Sequence[Change], version: str) -> str:
    """Return a version's pipeline as text, as far as it was written down.

    Parameters
    ----------
    changes
        Of all versions: that of one without a run is told by whoever took its place.
    version
        Its name.
    """
    for change in changes:
        detail = change["detail"]
        former = detail.get("former") or {}
        named = detail.get("now") or (change["state"] == "imported" and change["version"])
        if named == version and detail.get("pipeline"):
            return str(detail["pipeline"])
        if former.get("version") == version and former.get("pipeline"):
            return str(former["pipeline"])
    return ""


def served_before(changes: Iterable[Change], serving: str) -> str | None:
    """Return the version that served before the one that serves now; None for none.

    Parameters
    ----------
    changes
        Of all versions, newest first.
    serving
        The version that serves.

    Examples
    --------
    >>> change = {"state": "promoted", "detail": {"now": "v2", "former": {"version": "v1"}}}
    >>> served_before([change], "v2"), served_before([change], "v3")
    ('v1', None)
    """
    for change in changes:
        detail = change["detail"]
        if change["state"] in _TOOK_OVER and detail.get("now") is not None:
            return str(detail["former"]["version"]) if detail["now"] == serving else None
    return None


def _origin(first: Change | None, row: Mapping[str, Any] | None) -> dict[str, Any]:
    if first is None:
        reason = str(row["reason"]) if row else ""
        trigger = "rebuild" if reason.startswith("rebuilt") else "first"
        return {"run": None, "trigger": trigger, "reason": reason, "by": "", "evidence": {}}
    detail = first["detail"]
    if first["state"] == "imported":
        known = {"reason": detail.get("reason", ""), "by": detail.get("by", "")}
        return {"run": None, "trigger": "import", "evidence": {}} | known
    request = detail.get("request") or {}
    if row is not None and not request:  # a person put it back before any run was written of
        return _origin(None, row) if first["state"] == "promoted" else _unknown(first)
    return {
        "run": first["run"],
        "trigger": request.get("trigger", "person"),
        "reason": request.get("reason", ""),
        "by": request.get("by", ""),
        "evidence": request.get("evidence") or {},
    }


def _unknown(first: Change) -> dict[str, Any]:
    sentence = str(first["sentence"])
    return {"run": first["run"], "trigger": "person", "reason": sentence, "by": "", "evidence": {}}


def _number(version: str) -> int:
    digits = version.removeprefix("v")
    return int(digits) if digits.isdecimal() else 0
