"""What the mirror writes of a run: parameters, metrics, tags and a model card; nothing is sent."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from serve.notify.alerts import moment

_PARAM_LENGTH = 500
_TAG_LENGTH = 5_000

Changes = Sequence[Mapping[str, Any]]


def params_of(changes: Changes) -> Iterator[tuple[str, str]]:
    """Give what a run was begun with: trigger, goal, and the pipeline of each candidate.

    Examples
    --------
    >>> began = {"state": "training", "detail": {"trigger": "drift", "pipelines": {"a": "X()"}}}
    >>> list(params_of([began]))
    [('trigger', 'drift'), ('pipeline.a', 'X()')]
    """
    for change in changes[:1]:
        for name, value in change["detail"].items():
            if name in ("trigger", "goal"):
                yield name, str(value)
        for name, pipeline in change["detail"].get("pipelines", {}).items():
            yield _name(f"pipeline.{name}"), str(pipeline)[:_PARAM_LENGTH]


def metrics_of(changes: Changes) -> Iterator[tuple[str, float, int, int]]:
    """Give the numbers of each change: name, value, milliseconds, and its place as a step.

    Examples
    --------
    >>> numbers = {"labels": 600, "champion_loss": 0.25, "log": float("inf"), "worse_in": []}
    >>> list(metrics_of([{"state": "promoted", "at": 2.0, "detail": numbers}]))
    [('promoted.labels', 600.0, 2000, 0), ('promoted.champion_loss', 0.25, 2000, 0)]
    """
    for step, change in enumerate(changes):
        for name, value in change["detail"].items():
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if number and math.isfinite(value):
                at = round(change["at"] * 1000)
                yield _name(f"{change['state']}.{name}"), float(value), at, step


def tags_of(
    stream: str, version: str, changes: Changes, versions: Sequence[Mapping[str, Any]]
) -> dict[str, str]:
    """Return why a run began and what became of it.

    Parameters
    ----------
    stream, version
        Whose run it is, and what it makes.
    changes
        Of the run, oldest first; none for a version that no run made.
    versions
        As the store lists them: why each exists, and the libraries it was made with.
    """
    tags = {"riverrun.stream": stream, "riverrun.version": version}
    for row in versions:
        if row["version"] == version:
            libraries = {f"riverrun.library.{k}": str(v) for k, v in row["libraries"].items()}
            tags |= libraries | {"riverrun.reason": str(row["reason"])}
    if changes:
        first, last = changes[0], changes[-1]
        asked = first["detail"].get("request", {})
        tags |= {
            "riverrun.state": str(last["state"]),
            "riverrun.sentence": str(last["sentence"]),
            "riverrun.by": str(asked.get("by") or "the system"),
            "riverrun.why": str(asked.get("reason") or first["sentence"]),
            "riverrun.evidence": msgspec.json.encode(asked.get("evidence", {})).decode(),
        }
    return {name: value[:_TAG_LENGTH] for name, value in tags.items()}


def card(stream: str, version: str, changes: Changes) -> str:
    """Return a model card: what a version is, why it was trained, and how it was decided.

    Examples
    --------
    >>> row = {"at": 0.0, "state": "training", "sentence": "A run began: drift.", "detail": {}}
    >>> print(card("flights", "v2", [row]))
    # v2 of flights
    <BLANKLINE>
    A River model of riverrun; `model.pkl` is its pickle.
    <BLANKLINE>
    - 1970-01-01T00:00:00.000Z training: A run began: drift.
    """
    lines = [f"# {version} of {stream}", ""]
    lines += ["A River model of riverrun; `model.pkl` is its pickle.", ""]
    if not changes:
        lines.append("No run made it: it learned from the stream's beginning, or was rebuilt.")
    for change in changes:
        lines.append(f"- {moment(change['at'])} {change['state']}: {change['sentence']}")
        lines += [f"  - {name}: {_shown(value)}" for name, value in change["detail"].items()]
    return "\n".join(lines)


def _shown(value: object) -> str:
    return f"`{msgspec.json.encode(value).decode()[:_PARAM_LENGTH]}`"


def _name(text: str) -> str:
    """Return a name that MLflow takes."""
    kept = "".join(c if c.isalnum() or c in "_-. /" else "_" for c in text)
    return kept[:250]
