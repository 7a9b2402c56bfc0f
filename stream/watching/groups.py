"""Anomalies in groups: by kind and feature, with first and last seen and a redacted sample."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from monitor.anomalies import KINDS, Anomaly
from stream.events import Rejected

MAX_GROUPS = 1_000
_SHOWN, _SAMPLE = 4, 40
_NAMED = 3


class Group(msgspec.Struct):
    """One kind of anomaly of one feature.

    Parameters
    ----------
    kind, feature, severity
        What it is; ``feature`` is empty for the event or pane as a whole.
    count
        How often it was seen.
    first, last
        Event times, in milliseconds, of the first and the last one seen.
    sample
        The shape of what was found last; values are people's data.
    expected
        What was expected instead.
    """

    kind: str
    feature: str
    severity: str
    count: int
    first: int
    last: int
    sample: str
    expected: str


class _Stored(msgspec.Struct):
    groups: list[Group]
    beyond: int


class Groups:
    """The groups of one stream, at most ``MAX_GROUPS``.

    Attributes
    ----------
    beyond
        Anomalies that found no room for a group of their own.

    Examples
    --------
    >>> groups = Groups()
    >>> groups.add([Anomaly("wrong_type", "x", "error", "'abc'", "float")], time=5)
    >>> [(g.kind, g.feature, g.count, g.first, g.sample) for g in groups.listed()]
    [('wrong_type', 'x', 1, 5, "'abc'")]
    >>> groups.add([Anomaly("missing_rate", "x", "warning", "47.8% missing", "at most 9%")], 6)
    >>> groups.listed()[0].sample  # the share of a pane, not somebody's value
    '47.8% missing'
    """

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str, str], Group] = {}
        self.beyond = 0

    def add(self, anomalies: Iterable[Anomaly], time: int) -> None:
        """Count anomalies of one event or pane. Beyond the limit they are only counted."""
        for anomaly in anomalies:
            key = (anomaly.kind, anomaly.feature, anomaly.severity)
            kind = KINDS.get(anomaly.kind)
            of_a_pane = kind is not None and kind.event is None  # a share or a count, no value
            sample = anomaly.found if of_a_pane else redacted(anomaly.found)
            group = self._groups.get(key)
            if group is not None:
                group.count += 1
                group.first, group.last = min(group.first, time), max(group.last, time)
                group.sample, group.expected = sample, anomaly.expected
            elif len(self._groups) < MAX_GROUPS:
                self._groups[key] = Group(*key, 1, time, time, sample, anomaly.expected)
            else:
                self.beyond += 1

    def add_group(self, found: Group) -> None:
        """Add a group that others have counted; beyond the limit only its number is kept."""
        key = (found.kind, found.feature, found.severity)
        group = self._groups.get(key)
        if group is None:
            if len(self._groups) < MAX_GROUPS:
                self._groups[key] = found
            else:
                self.beyond += found.count
            return
        group.count += found.count
        group.first = min(group.first, found.first)
        if found.last >= group.last:
            group.last, group.sample, group.expected = found.last, found.sample, found.expected

    def listed(self) -> list[Group]:
        """Return the groups, the one that was seen last first."""
        return sorted(self._groups.values(), key=lambda group: -group.last)

    def counts(self) -> dict[str, int]:
        """Return the number of anomalies of every kind, those that never came included."""
        counts = dict.fromkeys(KINDS, 0)
        for group in self._groups.values():
            counts[group.kind] = counts.get(group.kind, 0) + group.count
        return counts

    def to_data(self) -> bytes:
        """Return the state as bytes."""
        return msgspec.msgpack.encode(_Stored(list(self._groups.values()), self.beyond))

    def restore(self, data: bytes) -> None:
        """Become what ``to_data`` said."""
        stored = msgspec.msgpack.decode(data, type=_Stored)
        self._groups = {(g.kind, g.feature, g.severity): g for g in stored.groups}
        self.beyond = stored.beyond


def redacted(found: str) -> str:
    """Return the shape of a value: beyond its start, digits become # and letters x.

    Examples
    --------
    >>> redacted("'jane.roe@example.org'")
    "'janx.xxx@xxxxxxx.xxx'"
    """
    shape = "".join(
        "#" if c.isdigit() else "x" if c.isalpha() else c for c in found[_SHOWN:_SAMPLE]
    )
    return found[:_SHOWN] + shape + ("..." if len(found) > _SAMPLE else "")


def rejected(anomalies: Sequence[Anomaly]) -> Rejected:
    """Return why an event with these anomalies must not be used."""
    errors = [anomaly for anomaly in anomalies if anomaly.severity == "error"]
    more = f"; and {len(errors) - _NAMED} more" if len(errors) > _NAMED else ""
    return Rejected("schema", errors[0].kind, "; ".join(map(str, errors[:_NAMED])) + more)
