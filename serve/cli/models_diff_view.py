"""What two versions differ in, as tables for a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from serve.cli.models_view import plain_table, score, when
from serve.cli.printable import printable

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

_SHOWN = 30


def diff_view(found: Mapping[str, Any]) -> RenderableType:
    """Return what two versions differ in, part by part."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = []
    titles = {
        "parameters": "Parameters",
        "scores": "Scores in training",
        "trained_on": "Trained on",
        "libraries": "Libraries",
        "facts": "Else",
    }
    for key, title in titles.items():
        if found[key]:
            table = _changes(found[key], found["before"], found["after"])
            parts += [Text(title, "bold"), table, Text()]
        elif key == "parameters":
            parts += [Text("The parameters are the same."), Text()]
    parts.append(Text("Distributions of the data they were trained on", "bold"))
    if found["columns_note"]:
        parts.append(Text(found["columns_note"]))
    else:
        parts.append(_columns(found["columns"]))
    return Group(*parts)


def _changes(changes: Mapping[str, Sequence[Any]], before: str, after: str) -> Table:
    from rich.text import Text

    table = plain_table("", before, after)
    for name, pair in changes.items():
        shown = [when(value) if name == "created_at" and value else score(value) for value in pair]
        table.add_row(Text(printable(name.replace("_", " "), 60)), *map(Text, shown))
    return table


def _columns(columns: Sequence[Mapping[str, Any]]) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    table = plain_table("column", "", "distance", "threshold", "missing", "changed most")
    for column in columns[:_SHOWN]:
        role = "" if column["role"] == "feature" else f" ({column['role']})"
        missing = [column["missing_before"], column["missing_after"]]
        found = column["found"].replace("_", " ")
        table.add_row(
            Text(printable(column["name"]) + role),
            Text(found, "yellow" if found == "differs" else ""),
            f"{score(column['distance'])} {column['test']}",
            score(column["threshold"]),
            "" if None in missing else f"{missing[0]:.1%} to {missing[1]:.1%}",
            Text(", ".join(printable(name, 20) for name in column["changed"])),
        )
    rest = len(columns) - _SHOWN
    notes = [Text(f"{rest} more; see --json")] if rest > 0 else []
    return Group(table, *notes)
