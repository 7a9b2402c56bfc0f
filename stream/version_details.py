"""All that is known of one version: why it is there, on what it was trained, what was decided."""

from __future__ import annotations

from typing import Any

import msgspec

from stream.versions import Versions, detail_of, pipeline_of

_TRAINED = ("range", "events", "learned", "dead_lettered", "seconds", "caught_up")


def details_of(versions: Versions, version: str) -> dict[str, Any]:
    """Return what a person asks of a version, as plain data.

    Parameters
    ----------
    versions
        Of the stream.
    version
        Its name.

    Returns
    -------
    dict
        The fields of ``Version``, and: ``why``, one sentence; ``trained_on``: range of offsets,
        events, seconds, or None; ``pipeline``, ``seed``, ``schema``, ``libraries``,
        ``fingerprint``; ``segments`` and ``champion_scores`` of the decision; ``origin`` and
        ``card`` of an import; ``history``, oldest first.

    Raises
    ------
    UnknownVersionError
    """
    one = versions.one(version)
    changes = versions.changes(version)
    trained = detail_of(changes, "caught_up") or detail_of(changes, "range")
    decided = [c["detail"] for c in changes if c["detail"].get("now") == version]
    decision = decided[0] if decided else {}
    imported: dict[str, Any] = detail_of(changes, "origin")
    row = versions.served.get(version, {})
    shown = {key: trained[key] for key in _TRAINED if key in trained}
    told: dict[str, Any] = msgspec.to_builtins(one)
    return told | {
        "why": _why(one.trigger, one.reason, one.by, one.run),
        "trained_on": shown or None,
        "pipeline": pipeline_of(versions.all_changes, version)
        or next(iter(detail_of(changes, "pipelines").get("pipelines", {}).values()), ""),
        "candidates": detail_of(changes, "pipelines").get("pipelines", {}),
        "seed": trained.get("seed"),
        "schema": trained.get("schema"),
        "libraries": trained.get("libraries") or dict(row.get("libraries") or {}),
        "fingerprint": trained.get("fingerprint") or row.get("fingerprint", ""),
        "segments": decision.get("segments", {}),
        "champion_scores": decision.get("champion_scores", {}),
        "former": (decision.get("former") or {}).get("version"),
        "origin": imported.get("origin"),
        "card": imported.get("card"),
        "history": [
            {key: change[key] for key in ("state", "run", "time", "at", "sentence")}
            for change in changes
        ],
    }


def _why(trigger: str, reason: str, by: str, run: int | None) -> str:
    who = f" by {by}" if by else ""
    because = f": {reason}" if reason else ""
    if trigger == "first":
        return "It is the first of the stream, and learned from the beginning of the log on."
    if trigger == "rebuild":
        return f"It was {reason}."
    if trigger == "import":
        return f"It was imported{who}{because}."
    return f"Run {run} made it, begun{who} by the trigger {trigger!r}{because}."
