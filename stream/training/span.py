"""The range of the log that a challenger is trained on, found by the monitor's panes."""

from __future__ import annotations

from stream.records import Offsets, TopicPartition
from stream.storage.history import History

_PAGE = 200


def start_of_range(history: History, since: int | None, window: int) -> tuple[Offsets, str]:
    """Return where a training begins to read, and how that was found.

    A pane knows the offsets behind its last record, so a time or a number of events becomes a place
    in the log. What came before the first pane is found only by reading from the log's beginning.

    Parameters
    ----------
    history
        Of the stream.
    since
        Event time in milliseconds: the range begins with the first pane that ends after it.
    window
        Events at most.
    """
    events, before = 0, None
    while panes := history.panes(limit=_PAGE, before=before):
        for stored in panes:
            row = stored.row
            if since is not None and row.last * 1000 <= since:
                return _offsets(row.offsets), f"since pane {row.index + 1}: the change"
            if events >= window:
                return _offsets(row.offsets), f"the last {events:,} events"
            events += row.events
        before = panes[-1].key
    return {}, "from the log's beginning"


def _offsets(named: dict[str, int]) -> Offsets:
    return {TopicPartition.parse(place): offset for place, offset in named.items()}
