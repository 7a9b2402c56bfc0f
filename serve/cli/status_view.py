"""A status as tables for a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from serve.cli.keys_view import keys_line
from serve.cli.monitor_view import monitor_view
from serve.run_line import under_way
from stream.units import format_duration

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table


def headline(status: Mapping[str, Any]) -> str:
    """Return the status in one line.

    Examples
    --------
    >>> headline(
    ...     {
    ...         "stream": "s",
    ...         "model_version": "v1",
    ...         "counts": {"events": 9, "learned": 8, "pending": 1},
    ...         "scores": {"model": {"MAE": 1.5}, "no_change": {"MAE": None}},
    ...     }
    ... )
    's (v1): 9 events, learned 8, pending 1; MAE 1.5 (no change -)'
    """
    counts, scores = status["counts"], status["scores"]
    metric = next(iter(scores["model"]), None)
    text = (
        f"{status['stream']} ({status['model_version']}): {counts['events']:,} events, "
        f"learned {counts['learned']:,}, pending {counts['pending']:,}"
    )
    if metric is None:
        return text
    model, usual = scores["model"][metric], scores["no_change"][metric]
    return f"{text}; {metric} {number(model)} (no change {number(usual)})"


def number(value: float | None) -> str:
    """Return a score for reading: four digits, or a hyphen where there is none."""
    return "-" if value is None else f"{value:.4g}"


def status_view(status: Mapping[str, Any]) -> RenderableType:
    """Return counts, labels by kind, scores beside the baselines, and what the monitor says."""
    from rich.console import Group
    from rich.text import Text

    lines = (_top(status), behind(status), under_way(status), *_deliveries(status))
    parts: list[RenderableType] = [Text(text) for text in lines if text]
    parts += [Text(), numbers(status), Text(), _scores(status)]
    if keys := keys_line(status):
        parts.append(Text(keys))
    if learning := _frozen(status):
        parts.append(Text(learning))
    if status.get("monitor") is not None:
        parts += [Text(), monitor_view(status)]
    return Group(*parts)


def _top(status: Mapping[str, Any]) -> str:
    text = f"{status['stream']}: {status['task']}, model {status['model_version']}"
    if status.get("checkpoint") is not None:
        age = format_duration(1000 * status["checkpoint_age_seconds"])
        text += f", checkpoint {status['checkpoint']} of {age} ago"
    if status["watermark"] is not None:
        text += f", event time {moment_text(status['watermark'])}"
    return text


def moment_text(milliseconds: int | None) -> str:
    """Return a moment for reading, or what stands for none."""
    if milliseconds is None:
        return "the beginning"
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d %H:%M} UTC"


def behind(status: Mapping[str, Any]) -> str:
    """Return how far the log is ahead, in a sentence; empty where that was not asked."""
    if status.get("lag_error"):
        return f"behind: not known: {status['lag_error']}"
    if status.get("lag") is None:
        return ""
    lag = status["lag"]
    behind = ", ".join(f"{place} {count:,}" for place, count in lag.items() if count)
    text = f"behind: {behind or 'nothing'} ({len(lag)} partitions"
    transport = (status.get("worker") or {}).get("transport")
    return f"{text}, read by {transport})" if transport else f"{text})"


def _deliveries(status: Mapping[str, Any]) -> Iterator[str]:
    for name, found in (status.get("deliveries") or {}).items():
        text = f"{name}: {found['sent']:,} sent, {found['waiting']:,} waiting"
        if found["dropped"]:
            text += f", {found['dropped']:,} given up"
        yield f"{text}; {found['last_error']}" if found["last_error"] else text


def numbers(status: Mapping[str, Any]) -> Table:
    """Return counts, labels by kind, and dead letters by reason, side by side."""
    from itertools import zip_longest

    from rich.table import Table

    groups = {
        "counts": status["counts"],
        "labels": status["labels"],
        "dead letters": status["dead_letter_reasons"],
    }
    table = Table(box=None, padding=(0, 3, 0, 0))
    columns: list[list[str]] = []
    for title, values in groups.items():
        if values:
            table.add_column(title)
            table.add_column(justify="right")
            columns.append([name.replace("_", " ") for name in values])
            columns.append([f"{value:,}" for value in values.values()])
    for row in zip_longest(*columns, fillvalue=""):
        table.add_row(*row)
    return table


def _scores(status: Mapping[str, Any]) -> Table:
    """Return every metric of the model beside the baselines: all labels, and those of late."""
    from rich.table import Table

    whole, last, since = status["scores"], status["rolling"]["scores"], status["since_promotion"]
    table = Table(box=None, padding=(0, 3, 0, 0))
    table.add_column(f"scores of {status['scored']:,} labels")
    for name in whole:
        table.add_column(name.replace("_", " "), justify="right")
    for metric in whole["model"]:
        table.add_row(metric, *(number(scores[metric]) for scores in whole.values()))
        if since["time"] is not None:
            note = f"  since {since['version']} was promoted, {since['scored']:,}"
            table.add_row(note, *(number(scores[metric]) for scores in since["scores"].values()))
        if last:
            note = f"  the last {status['rolling']['window']:,}"
            table.add_row(note, *(number(scores[metric]) for scores in last.values()))
    return table


def _frozen(status: Mapping[str, Any]) -> str:
    """Return what learning on is worth, in a sentence; empty where nothing is known."""
    frozen = status["frozen"]
    if frozen is None or not frozen["scored"]:
        return ""
    if frozen["failed"]:
        return f"frozen {frozen['version']}: {frozen['failed']}"
    metric = next(iter(frozen["scores"]["model"]), None)
    if metric is None:
        return ""
    model, same = (number(frozen["scores"][who][metric]) for who in ("model", "frozen"))
    return (
        f"learning on: {metric} {model}; {same} had {frozen['version']} learned nothing since "
        f"{moment_text(frozen['time'])} ({frozen['scored']:,} labels, one event in "
        f"{frozen['every']})"
    )
