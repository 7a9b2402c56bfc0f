"""A span of a stream's past compared with what a version was learned on, from stored panes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from serve.cli.drift_choice import Choice, some
from serve.cli.drift_result import DriftResult, FeatureDrift, Span, describe
from serve.cli.spans import span_of
from stream.units import format_time

if TYPE_CHECKING:
    from serve.drift_history import SpanDrift
    from stream.config import Config
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

    start, end = span_of(store.history, asked.start, asked.end)
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
