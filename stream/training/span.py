"""The range of the log that a challenger is trained on, found by the monitor's panes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from stream.records import Offsets, TopicPartition
from stream.storage.history import History
from stream.watching.pane_row import PaneRow

_PAGE = 200


def newest_first(history: History) -> Iterator[PaneRow]:
    """Give the stored panes of a stream, newest first, a page at a time."""
    before = None
    while panes := history.panes(limit=_PAGE, before=before):
        yield from (stored.row for stored in panes)
        before = panes[-1].key


def start_of_range(panes: Iterable[PaneRow], since: int | None, window: int) -> tuple[Offsets, str]:
    """Return where a training begins to read, and how that was found.

    A pane knows the offsets behind its last record, so a time or a number of events becomes a place
    in the log. What came before the first pane is found only by reading from the log's beginning.

    Parameters
    ----------
    panes
        Of the stream, newest first.
    since
        Event time in milliseconds: the range begins with the first pane that ends after it.
    window
        Events at most.
    """
    events = 0
    for row in panes:
        if since is not None and row.last * 1000 <= since:
            return _offsets(row.offsets), f"since pane {row.index + 1}: the change"
        if events >= window:
            return _offsets(row.offsets), f"the last {events:,} events"
        events += row.events
    return {}, "from the log's beginning"


def _offsets(named: dict[str, int]) -> Offsets:
    return {TopicPartition.parse(place): offset for place, offset in named.items()}
