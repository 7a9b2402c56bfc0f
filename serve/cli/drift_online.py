"""A span of a stream's past compared with what a version was learned on, from stored panes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from serve.cli.drift_choice import Choice, some
from serve.cli.drift_result import DriftResult, FeatureDrift, Span, describe
from stream.errors import InputError
from stream.events import parse_time
from stream.units import format_time, parse_duration

if TYPE_CHECKING:
    from serve.drift_history import SpanDrift
    from stream.config import Config
    from stream.storage.history import History
    from stream.storage.store import Store

PANES = 16
"""Panes of a span whose beginning nobody named."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person asked for.

    Parameters
    ----------
    start, end
        RFC 3339 times, or durations back from the newest pane's end.
    against
        A version; default the newest.
    """

    start: str | None = None
    end: str | None = None
    against: str | None = None


def compare_span(store: Store, config: Config, asked: Asked, choice: Choice) -> DriftResult:
    """Compare a span of panes with the reference of a version.

    Parameters
    ----------
    store
        Only read.
    config
        The stream's: budget and floors are those of the worker.
    asked
        The span, and the version.
    choice
        Columns to show; all are tested, as the budget is for all of them.

    Raises
    ------
    InputError
        A time cannot be read, no pane is there, or no such version or column.
    StoreError
    """
    from serve.drift_history import DriftHistory

    start, end = _bounds(store.history, asked)
    panes = PANES if asked.start is None else None
    found = DriftHistory(store, config).span(start, end, asked.against, last=panes)
    features = describe(found.report, found.reference, found.pane, {})
    choice.refuse_unknown({feature.skew.name for feature in features}, "no pane")
    left_out = {f.skew.name: why for f in features if (why := choice.why_not(f.skew.name))}
    shown = f"{found.panes:,} pane{'' if found.panes == 1 else 's'}"
    return DriftResult(
        (f"the reference of {found.version}", found.reference.total.events),
        (f"{shown}, {format_time(found.first)} to {format_time(found.last)}", found.pane.events),
        tuple(f for f in features if choice.why_not(f.skew.name) is None),
        found.report,
        left_out,
        _notes(found, features),
        Span(found.version, found.panes, found.skipped, found.first, found.last),
    )


def _bounds(history: History, asked: Asked) -> tuple[float | None, float | None]:
    """Return the span in seconds since the epoch."""
    newest = next(iter(history.panes(limit=1)), None)
    last = None if newest is None else newest.row.last
    end = _moment("--to", asked.end, last)
    if asked.start is not None:
        start = _moment("--from", asked.start, last)
        if start is not None and end is not None and start >= end:
            raise InputError(
                f"--from ({format_time(start)}) is not before --to ({format_time(end)})"
            )
        return start, end
    return None, end


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


def _notes(found: SpanDrift, features: tuple[FeatureDrift, ...]) -> list[str]:
    notes = []
    if found.skipped:
        notes.append(
            f"{found.skipped:,} panes of the span were counted with other bins than the reference "
            f"of {found.version}, and were not compared"
        )
    if found.pane.errors:
        share = found.pane.errors / max(found.pane.events, 1)
        notes.append(f"{share:.1%} of the span's events are in error: see 'riverrun status'")
    never = [f.skew.name for f in features if not f.counts[1][:-1].sum()]
    if never:
        notes.append(f"no value came for: {some(never)}")
    return notes
