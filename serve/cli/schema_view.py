"""The check of a file for a person, and as plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from monitor.anomalies import KINDS
from serve.cli.printable import printable
from serve.cli.schema_check import CheckResult, Found

if TYPE_CHECKING:
    from rich.console import RenderableType

_STYLES = {"error": ("✗ error", "bold red"), "warning": ("! warning", "yellow")}


def ordered(result: CheckResult) -> list[Found]:
    """Give what was found, errors first, then by how often."""
    return sorted(
        result.found.values(),
        key=lambda each: (each.severity != "error", each.scope, -each.count, each.kind),
    )


def summary(result: CheckResult) -> str:
    """Give the result in a sentence.

    Examples
    --------
    >>> summary(CheckResult("a.csv", "line", rows=10, errors=0, panes=1))
    'a.csv: 10 events are as the schema says'
    """
    events = f"{result.rows:,} event{'' if result.rows == 1 else 's'}"
    if result.severity is None:
        return f"{result.name}: {events} are as the schema says"
    warned = sum(each.severity != "error" for each in result.found.values())
    failed = len(result.found) - warned
    count = f"{result.errors:,}" if result.errors else "none"
    return (
        f"{result.name}: {count} of {events} in error. Errors below: {failed}, warnings: {warned}"
    )


def aliases(result: CheckResult, each: Found) -> list[str]:
    """Give what TensorFlow Data Validation calls a kind, for a feature of that type."""
    names = KINDS[each.kind].tfdv
    prefix = {"int": "INT_", "float": "FLOAT_"}.get(result.types.get(each.feature, ""), "")
    return [name for name in names if name.startswith(prefix)] or list(names)


def schema_view(result: CheckResult) -> RenderableType:
    """Draw the check of a file.

    Parameters
    ----------
    result
        What was found.

    Returns
    -------
    RenderableType
        A sentence, and a table with a row for each kind and feature.
    """
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    style = {"error": "bold red", "warning": "bold yellow"}.get(result.severity or "", "bold green")
    head = Text(printable(summary(result), 400), style=style)
    if not result.found:
        return head
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title, width in {
        "severity": None, "kind (TFDV)": 34, "feature": 26, "count": None,
        f"{result.unit}s": None, "example": 48,
    }.items():  # fmt: skip
        justify = "right" if title == "count" else "left"
        table.add_column(title, justify=justify, overflow="fold", max_width=width)  # type: ignore[arg-type]
    for each in ordered(result):
        word, colour = _STYLES[each.severity]
        example = f"found {each.example.found}, expected {each.example.expected}"
        table.add_row(
            Text(word, style=colour),
            Text(f"{each.kind}\n{', '.join(aliases(result, each))}"),
            Text(printable(each.feature)),
            Text(f"{each.count:,} {each.scope}"),
            Text(f"{each.first:,} to {each.last:,}"),
            Text(printable(example, 160)),
        )
    return Group(head, Text(), table)


def as_data(result: CheckResult) -> dict[str, Any]:
    """Give the check as plain data for JSON.

    Parameters
    ----------
    result
        What was found.

    Returns
    -------
    dict
        Plain data.
    """
    return {
        "file": result.name,
        "verdict": result.severity or "clean",
        "events": result.rows,
        "events_in_error": result.errors,
        "panes": result.panes,
        "places": result.unit,
        "anomalies": [
            {
                "kind": each.kind,
                "tfdv": aliases(result, each),
                "feature": each.feature,
                "severity": each.severity,
                "scope": each.scope,
                "count": each.count,
                "first": each.first,
                "last": each.last,
                "found": each.example.found,
                "expected": each.example.expected,
            }
            for each in ordered(result)
        ],
    }
