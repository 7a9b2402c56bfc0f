"""The model card: what a model is for, what it was trained on, and how it did."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from stream.config import Config

BLOCKS = {
    "value_proposition": "Value proposition",
    "prediction_task": "Prediction task",
    "decisions": "Decisions",
    "impact_simulation": "Impact simulation",
    "making_predictions": "Making predictions",
    "data_sources": "Data sources",
    "data_collection": "Data collection",
    "features": "Features",
    "building_models": "Building models",
    "monitoring": "Monitoring",
}
"""The ten blocks of the Machine Learning Canvas (Louis Dorard, version 1.1), by key."""

_LEFT_OUT = ("schema", "history", "evidence")


def card_of(config: Config, details: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Return the card of a version, as plain data.

    Parameters
    ----------
    config
        The stream's; its ``[canvas]`` fills the ten blocks.
    details
        As ``stream.version_details.details_of`` returns them.
    now
        Seconds since the epoch.
    """
    event, canvas = config.event, config.canvas.model_dump()
    kept = {key: value for key, value in details.items() if key not in _LEFT_OUT}
    return {
        "stream": config.stream.name,
        "task": config.model.task,
        "label": event.label,
        "features": None if event.features is None else list(event.features),
        "written_at": _moment(now),
        "model": kept,
        "evidence": details["evidence"],
        "history": details["history"],
        "canvas": {key: canvas[key] for key in BLOCKS},
    }


def card_text(card: Mapping[str, Any]) -> str:
    """Return a card as Markdown."""
    model = card["model"]
    lines = [
        f"# Model card: {card['stream']} {model['version']}",
        "",
        f"{model['why']} {model['decision']}".strip(),
        "",
        *_table(
            {
                "task": card["task"],
                "label": card["label"],
                "features": ", ".join(card["features"] or ()) or "every field of the event",
                "state": model["state"],
                "created": _moment(model["created_at"]),
                "card written": card["written_at"],
                "trigger": model["trigger"],
                "asked for by": model["by"] or "the system itself",
                "seed": model["seed"],
                "fingerprint": model["fingerprint"],
                **{f"version of {name}": text for name, text in model["libraries"].items()},
            }
        ),
        "## Parameters",
        "",
        *_fenced(model["pipeline"] or "not written down"),
        "## Data",
        "",
        *_data(model["trained_on"]),
        "## Metrics",
        "",
        *_metrics(model),
        "## Segments",
        "",
        *_segments(model),
        "## Machine Learning Canvas",
        "",
    ]
    for key, title in BLOCKS.items():
        text = card["canvas"][key] or f"Not stated (`canvas.{key}` in the configuration)."
        lines += [f"### {title}", "", text, ""]
    return "\n".join(lines).rstrip() + "\n"


def _data(trained: Mapping[str, Any] | None) -> list[str]:
    if trained is None:
        return ["It learned from the beginning of the log on, as events came.", ""]
    ends = trained.get("caught_up", {}).get("offsets") or trained["range"]["to"]
    table = {
        place: f"offsets {start:,} to {ends.get(place, start):,}"
        for place, start in trained["range"]["from"].items()
    }
    return _table(
        {
            "range": trained["range"]["found_by"],
            **table,
            "events": f"{trained['events']:,}",
            "learned from": f"{trained['learned']:,}",
            "could not be used": f"{trained['dead_lettered']:,}",
        }
    )


def _metrics(model: Mapping[str, Any]) -> list[str]:
    rows = {f"{name} in training (progressive)": v for name, v in model["scores"].items()}
    rows |= {f"{name} of the champion then": v for name, v in model["champion_scores"].items()}
    rows |= {f"gate: {name.replace('_', ' ')}": value for name, value in model["gate"].items()}
    return _table(rows) if rows else ["None were written down.", ""]


def _segments(model: Mapping[str, Any]) -> list[str]:
    rows = {
        name: f"{found['labels']:,} labels, log evidence that it is worse there "
        f"{found['log_evidence_worse']:.4g}"
        for name, found in model["segments"].items()
    }
    return _table(rows) if rows else ["None were kept.", ""]


def _table(rows: Mapping[str, Any]) -> list[str]:
    shown = [f"| {_cell(key)} | {_cell(value)} |" for key, value in rows.items()]
    return ["| | |", "| --- | --- |", *shown, ""]


def _cell(value: Any) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return " ".join(text.split()).replace("|", r"\|").replace("<", "&lt;")


def _fenced(text: str) -> list[str]:
    fence = "```"
    while fence in text:
        fence += "`"
    return [fence, text, fence, ""]


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
