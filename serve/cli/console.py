"""Printing: results to standard output, everything else to standard error."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

_WIDTH_ELSEWHERE = 160


def output() -> Console:
    """Return the console of results; in a pipe or a file its lines may be long."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else _WIDTH_ELSEWHERE
    return Console(file=sys.stdout, highlight=False, width=width)


def messages() -> Console:
    """Return the console of messages and progress."""
    from rich.console import Console

    return Console(file=sys.stderr, highlight=False)


def say(text: str, style: str | None = None) -> None:
    """Write a message for a person; brackets in it mean nothing and long lines stay whole."""
    messages().print(text, style=style, markup=False, soft_wrap=True)


def show_error(text: str) -> None:
    """Write what went wrong, in red on a terminal."""
    say(f"Error: {text}", style="red")


def print_json(value: Any) -> None:
    """Write a result as JSON; what JSON has no word for (NaN, infinity) becomes null.

    Characters that a terminal might obey, or that cannot be seen, stand as JSON's escapes.
    """
    import json

    import msgspec

    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    if not text.replace("\n", "").isprintable():
        text = "".join(
            char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in text
        )
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
