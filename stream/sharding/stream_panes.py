"""Which closed panes of the shards make one pane of the stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from math import floor
from typing import NamedTuple

from stream.storage.history import StoredPane
from stream.watching.monitor_config import PARTS


class Group(NamedTuple):
    """Panes of shards that are one pane of the stream.

    Parameters
    ----------
    panes
        By name of the shard, in order.
    late
        Of their events, those that came behind their pane of the stream.
    key
        Number of the pane on the axis of event time; None where panes are cut by count.
    """

    panes: list[tuple[str, StoredPane]]
    late: int
    key: int | None


def pane_key(last: float, seconds: float) -> int:
    """Return the number of a pane on the axis of event time.

    Parameters
    ----------
    last
        Largest event time in it.
    seconds
        Length of a pane.

    Examples
    --------
    >>> pane_key(59.9, 10.0), pane_key(60.0, 10.0)
    (5, 6)
    """
    return floor(last / seconds)


def grouped_by_time(
    closed: Mapping[str, Sequence[StoredPane]],
    reached: Mapping[str, int | None],
    seconds: float,
    merged: int | None,
) -> list[Group]:
    """Return the panes of the stream that every shard is past.

    Parameters
    ----------
    closed
        By shard, its panes that are in none of the stream yet, in order.
    reached
        By shard, the number of its open pane, as of before ``closed`` was read; None where it has
        none.
    seconds
        Length of a pane.
    merged
        Number of the stream's last pane. What comes behind it is counted in the next one.

    Returns
    -------
    list of Group
        In order of time. There is none for a stretch without events.
    """
    if not reached or any(key is None for key in reached.values()):
        return []
    frontier = min(key for key in reached.values() if key is not None)
    late: list[tuple[str, StoredPane]] = []
    due: dict[int, list[tuple[str, StoredPane]]] = {}
    for name in sorted(closed):
        for stored in closed[name]:
            key = pane_key(stored.row.last, seconds)
            if merged is not None and key <= merged:
                late.append((name, stored))
            elif key < frontier:
                due.setdefault(key, []).append((name, stored))
    groups = []
    for key in sorted(due):
        events = sum(stored.row.events for _, stored in late)
        # Each shard's panes leave in the order in which it closed them.
        panes = sorted([*late, *due[key]], key=lambda one: (one[0], one[1].row.index))
        groups.append(Group(panes, events, key))
        late = []
    return groups


def grouped_by_count(closed: Mapping[str, Sequence[StoredPane]]) -> list[Group]:
    """Return the panes of the stream that can be made now, of as many panes of any shards each.

    Parameters
    ----------
    closed
        By shard, its panes that are in none of the stream yet, in order.

    Returns
    -------
    list of Group
        In order of time, as far as the shards have come.
    """
    order = []
    for name, panes in closed.items():
        reached = accumulate((stored.row.last for stored in panes), max)
        order += [
            (time, name, stored.row.index, stored)
            for time, stored in zip(reached, panes, strict=True)
        ]
    order.sort(key=lambda one: one[:3])
    return [
        Group([(name, stored) for _, name, _, stored in order[start : start + PARTS]], 0, None)
        for start in range(0, len(order) - PARTS + 1, PARTS)
    ]
