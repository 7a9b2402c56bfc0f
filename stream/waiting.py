"""Things that wait: a bounded, expiring mapping whose changes can be written as chunks.

Predictions wait for their labels here, and labels that came early wait for their events. A
checkpoint must not write a million of them each time, so the mapping is kept on the store as a
log of *chunks*: each holds what came since the chunk before and is still waiting, and the ids that
have gone. Chunks are dropped oldest first; when more than half of what is stored has gone, the
oldest chunk's survivors move to the next chunk, so that what is stored stays within twice what
waits (and a little).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

import msgspec

from stream.labels import Label

_Prediction = bool | float | dict[str, float] | str | int | None  # as in stream.learner
_SLACK = 1_000  # entries: below this, tidying costs more than it frees


class Entry(msgspec.Struct, array_like=True, gc=False):
    """What every waiting thing has.

    Parameters
    ----------
    id
        What it waits under.
    seq
        Its number in order of arrival.
    time
        Event time, in milliseconds, that its patience counts from.
    chunk
        The chunk it was last written in; 0 when in none yet.
    """

    id: str
    seq: int
    time: int
    chunk: int


class EarlyLabel(Entry, array_like=True, gc=False):
    """A label that came before its event."""

    label: Label


class Pending(Entry, array_like=True, gc=False):
    """A prediction whose label has not come.

    Parameters
    ----------
    value
        The event's JSON, from which the features are read again when it is learned from: a
        fifth of the memory of the decoded features.
    prediction
        What was predicted, as ``Learner.predict`` returns it.
    baselines
        What the two baselines said at that time.
    shadows
        What the models in the shadow said, by name, where there were any.
    """

    value: bytes
    prediction: _Prediction
    baselines: tuple[Label | None, Label | None]
    shadows: dict[str, _Prediction] | None = None


class Said(msgspec.Struct, frozen=True, gc=False):
    """What was said of an event when it came: by the model, the baselines, and others by name."""

    prediction: _Prediction
    baselines: tuple[Label | None, Label | None]
    others: dict[str, _Prediction] | None


E = TypeVar("E", bound=Entry)


class Chunk(msgspec.Struct, Generic[E]):
    """What changed between two checkpoints.

    Parameters
    ----------
    added
        Entries that came, or moved from a dropped chunk, and still wait.
    removed
        Ids that stand in an earlier chunk and wait no longer.
    first
        The oldest chunk that is still needed; those before it can be dropped.
    """

    added: list[E]
    removed: list[str]
    first: int


class Waiting(Generic[E]):
    """A mapping of id to entry, in order of arrival, bounded in number and in event time.

    Parameters
    ----------
    max_entries
        The oldest entry is given up when one more comes.
    max_delay
        An entry expires when event time has moved on by more than this, in milliseconds.

    Examples
    --------
    >>> waiting = Waiting[EarlyLabel](max_entries=2, max_delay=1_000)
    >>> waiting.add(EarlyLabel("a", 1, 0, 0, True))
    >>> waiting.add(EarlyLabel("b", 2, 500, 0, False))
    >>> [entry.id for entry in waiting.expire(1_001)]
    ['a']
    >>> waiting.pop("b").label, len(waiting)
    (False, 0)
    """

    def __init__(self, max_entries: int, max_delay: int) -> None:
        self._max_entries = max_entries
        self._max_delay = max_delay
        self._entries: OrderedDict[str, E] = OrderedDict()  # dict finds its first key slowly
        self._by_time: list[tuple[int, int, str]] = []
        self._fresh: dict[str, E] = {}
        self._removed: list[str] = []
        self._stored: dict[int, int] = {}
        self._live: dict[int, set[str]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def __iter__(self) -> Iterator[E]:
        return iter(self._entries.values())

    def ends(self) -> tuple[int, str | None, str | None]:
        """Return how many wait, and the ids that came first and last."""
        first = next(iter(self._entries), None)
        return len(self._entries), first, next(reversed(self._entries), None)

    def add(self, entry: E) -> None:
        """Let an entry wait. Its id must not wait already."""
        self._entries[entry.id] = entry
        self._fresh[entry.id] = entry
        heappush(self._by_time, (entry.time, entry.seq, entry.id))
        if len(self._by_time) > 2 * len(self._entries) + _SLACK:
            self._by_time = [(e.time, e.seq, e.id) for e in self._entries.values()]
            heapify(self._by_time)

    def get(self, key: str) -> E | None:
        """Return the entry that waits under an id, or None."""
        return self._entries.get(key)

    def pop(self, key: str) -> E | None:
        """Take an entry out, or return None where none waits under this id."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return None
        if entry.chunk:
            self._removed.append(key)
            self._live[entry.chunk].discard(key)
        self._fresh.pop(key, None)
        return entry

    def expire(self, watermark: int) -> list[E]:
        """Take out what event time has left behind, oldest first."""
        heap, limit = self._by_time, watermark - self._max_delay
        if not heap or heap[0][0] >= limit:
            return []
        gone = []
        while heap and heap[0][0] < limit:
            _, seq, key = heappop(heap)
            entry = self._entries.get(key)
            if entry is not None and entry.seq == seq:
                self.pop(key)
                gone.append(entry)
        return gone

    def evict(self) -> E | None:
        """Take out the entry that came first, where there are more than ``max_entries``."""
        if len(self._entries) <= self._max_entries:
            return None
        return self.pop(next(iter(self._entries)))

    def changes(self) -> Chunk[E]:
        """Return what the next chunk holds. Changes nothing: a failed commit can try again."""
        added = dict(self._fresh)
        first = self._first()
        total, dead = self._stored_and_dead(first)
        for number in sorted(self._stored):
            if dead * 2 <= total or total < _SLACK:
                break
            survivors = self._live[number]
            added |= {key: self._entries[key] for key in survivors}
            total -= self._stored[number]
            dead -= self._stored[number] - len(survivors)
            first = number + 1
        kept = [n for n in self._stored if n >= first]
        return Chunk(
            sorted(added.values(), key=_seq), list(self._removed), min(kept, default=first)
        )

    def committed(self, chunk: Chunk[E], number: int) -> None:
        """Take note that a chunk was written under a number, which must rise."""
        for old in [n for n in self._stored if n < chunk.first]:
            del self._stored[old], self._live[old]
        for entry in chunk.added:
            entry.chunk = number
        if chunk.added or chunk.removed:
            self._stored[number] = len(chunk.added) + len(chunk.removed)
            self._live[number] = {entry.id for entry in chunk.added}
        self._fresh.clear()
        self._removed.clear()

    def restore(self, chunks: Sequence[tuple[int, Chunk[E]]]) -> None:
        """Become what the chunks say, given oldest first with their numbers."""
        entries: dict[str, E] = {}
        self._stored = {n: len(c.added) + len(c.removed) for n, c in chunks}
        for number, chunk in chunks:
            for key in chunk.removed:
                entries.pop(key, None)
            for entry in chunk.added:
                entry.chunk = number
                entries[entry.id] = entry
        self._entries = OrderedDict((e.id, e) for e in sorted(entries.values(), key=_seq))
        self._live = {n: set() for n in self._stored}
        for entry in self._entries.values():
            self._live[entry.chunk].add(entry.id)
        self._by_time = [(e.time, e.seq, e.id) for e in self._entries.values()]
        heapify(self._by_time)
        self._fresh, self._removed = {}, []

    def _first(self) -> int:
        """Return the oldest chunk that still holds something that waits."""
        used = [number for number in sorted(self._stored) if self._live[number]]
        return used[0] if used else max(self._stored, default=0) + 1

    def _stored_and_dead(self, first: int) -> tuple[int, int]:
        kept = [n for n in self._stored if n >= first]
        total = sum(self._stored[n] for n in kept)
        return total, total - sum(len(self._live[n]) for n in kept)


def _seq(entry: Entry) -> int:
    return entry.seq
