"""The status of a divided stream for a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from serve.cli.keys_view import keys_line
from serve.cli.monitor_view import monitor_view
from serve.cli.status_view import behind, moment_text, number, numbers
from stream.units import format_duration

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table


def shards_headline(status: Mapping[str, Any]) -> str:
    """Return the status in one line.

    Examples
    --------
    >>> counts = {"events": 9, "learned": 8, "pending": 1}
    >>> shards_headline({"stream": "s", "shards": [{}, {}], "counts": counts})
    's (2 shards): 9 events, learned 8, pending 1'
    >>> shards_headline({"stream": "s", "shards": [], "counts": {}})
    's (0 shards): 0 events, learned 0, pending 0'
    """
    counts = status["counts"]
    events, learned, pending = (counts.get(name, 0) for name in ("events", "learned", "pending"))
    return (
        f"{status['stream']} ({len(status['shards'])} shards): {events:,} events, "
        f"learned {learned:,}, pending {pending:,}"
    )


def shards_view(status: Mapping[str, Any]) -> RenderableType:
    """Return what the shards add up to, and a table of them."""
    from rich.console import Group
    from rich.text import Text

    top = f"{status['stream']}: {status['task']}, {len(status['shards'])} shards"
    if status["watermark"] is not None:
        top += f", event time {moment_text(status['watermark'])} on all of them"
    lines = [
        text for text in (top, behind(status), _coordinator(status), keys_line(status)) if text
    ]
    parts: list[RenderableType] = [*map(Text, lines), Text(), numbers(status), Text()]
    parts.append(_table(status["shards"], status["lag"]))
    if status.get("monitor") is not None:
        parts += [Text(), monitor_view(status)]
    return Group(*parts)


def _coordinator(status: Mapping[str, Any]) -> str:
    found = status.get("coordinator")
    if found is None:
        return ""
    age = format_duration(1000 * found["checkpoint_age_seconds"])
    return f"coordinator: {found['owner']}, epoch {found['epoch']}, {age} ago"


def _table(shards: list[dict[str, Any]], lag: Mapping[str, int] | None) -> Table:
    from rich.table import Table

    table = Table(box=None, padding=(0, 3, 0, 0))
    for name in ("shard", "worker", "epoch", "checkpoint", "model"):
        table.add_column(name)
    metric = next((m for one in shards for m in one.get("scores", {}).get("model", {})), None)
    for name in ("events", "learned", "pending", "behind", *([metric] if metric else [])):
        table.add_column(name, justify="right")
    for one in shards:
        owner = [one["shard"], one["owner"], str(one["epoch"])]
        if one["checkpoint"] is None:
            table.add_row(*owner, "none yet")
            continue
        age = format_duration(1000 * one["checkpoint_age_seconds"])
        row = [f"{one['checkpoint']} of {age} ago", one["model_version"]]
        row += [f"{one['counts'][name]:,}" for name in ("events", "learned", "pending")]
        row.append(_behind(one["partition"], lag))
        if metric:
            row.append(number(one["scores"]["model"].get(metric)))
        table.add_row(*owner, *row)
    return table


def _behind(partition: int, lag: Mapping[str, int] | None) -> str:
    if lag is None:
        return "-"
    mine = [left for place, left in lag.items() if place.endswith(f"-{partition}")]
    return f"{sum(mine):,}"
