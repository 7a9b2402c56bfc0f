"""Progress bars: on standard error, and only where somebody watches."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_AT_MOST_EVERY_SECONDS = 0.1


@contextmanager
def progress_bar(title: str, total: float | None) -> Iterator[Callable[[float, str], None]]:
    """Show a bar while the block runs.

    Parameters
    ----------
    title
        What is going on.
    total
        Where it ends; None where nobody knows.

    Yields
    ------
    Callable
        Takes how far it is, and a text to show beside it. Does nothing off a terminal.
    """
    if not sys.stderr.isatty():
        yield lambda _done, _text: None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from serve.cli.console import messages

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[text]}"))
    with Progress(
        *columns,
        TimeRemainingColumn(),
        console=messages(),
        transient=True,
        refresh_per_second=1 / _AT_MOST_EVERY_SECONDS,
    ) as progress:
        task = progress.add_task(title, total=total, text="")
        yield lambda done, text: progress.update(task, completed=done, text=text)
