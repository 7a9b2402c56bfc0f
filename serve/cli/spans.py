"""Spans of event time as people name them: by RFC 3339, or back from the newest pane's end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream.errors import InputError
from stream.events import parse_time
from stream.units import format_time, parse_duration

if TYPE_CHECKING:
    from stream.storage.history import History


def span_of(
    history: History, start: str | None, end: str | None
) -> tuple[float | None, float | None]:
    """Return a span in seconds since the epoch; None where nothing was named.

    Parameters
    ----------
    history
        Its newest pane's end is what a duration goes back from.
    start, end
        What a person gave as ``--from`` and ``--to``.

    Raises
    ------
    InputError
        A time cannot be read, or the beginning is not before the end.
    StoreUnreachableError
    """
    newest = next(iter(history.panes(limit=1, data=False, scores=False)), None)
    last = None if newest is None else newest.row.last
    until = _moment("--to", end, last)
    since = _moment("--from", start, last)
    if since is not None and until is not None and since >= until:
        raise InputError(f"--from ({format_time(since)}) is not before --to ({format_time(until)})")
    return since, until


def _moment(option: str, text: str | None, last: float | None) -> float | None:
    if text is None:
        return None
    try:
        back = parse_duration(text)
    except ValueError:
        moment = parse_time(text)
        if moment is None:
            raise InputError(
                f"{option}: found {text[:60]!r}; give a time such as 2025-01-31T10:00:00Z, or a "
                "duration back from the newest pane's end, such as 2h or 3d"
            ) from None
        return moment / 1000
    return None if last is None else last - back / 1000
