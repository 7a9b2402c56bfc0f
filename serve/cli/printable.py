"""Untrusted text for a terminal: nothing in it moves the cursor, hides, or fills the screen."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from serve.cli.console import output

if TYPE_CHECKING:
    from rich.console import Console


def printable(text: str, limit: int = 40) -> str:
    r"""Give a text on one line, of what can be seen only, and cut where it is long.

    Parameters
    ----------
    text
        Untrusted, such as a column's name.
    limit
        Characters at most.

    Returns
    -------
    str
        Control characters, invisible ones and those that turn the direction of writing stand as
        escapes.

    Examples
    --------
    >>> printable("größe"), printable("\x1b[31mred\n"), printable("x" * 50, 5)
    ('größe', '\\x1b[31mred\\n', 'xxxx…')
    """
    if not text.isprintable():
        text = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def forgiving_output() -> Console:
    """Return the console of results; what its encoding cannot express is shown as ``?``."""
    console = output()
    if not takes_unicode(console) and hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    return console


def takes_unicode(console: Console) -> bool:
    """Tell whether a console shows more than ASCII."""
    return console.encoding.lower().startswith("utf")
