"""Ids that are settled: remembered for a while, to drop repeats and to judge later labels."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Generic, TypeVar

from stream.labels import Label

Settlement = tuple[str, Label | None]
"""An id and the label it was scored with; None where the prediction was given up."""

V = TypeVar("V")


class Settled(Generic[V]):
    """The last ``size`` settled ids, and the label (or what else) that came with each one.

    Kept on the store as chunks, like ``Waiting``; but ids leave in the order they came, so a chunk
    is simply what came since the one before.

    Parameters
    ----------
    size
        How many are remembered; the oldest is forgotten first.

    Examples
    --------
    >>> settled = Settled[bool](2)
    >>> for key in "abc":
    ...     settled.add(key, True)
    >>> "a" in settled, "c" in settled, settled.label("c")
    (False, True, True)
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._labels: dict[str, V] = {}
        self._order: deque[str] = deque()
        self._fresh = 0
        self._stored: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._labels)

    def __contains__(self, key: str) -> bool:
        return key in self._labels

    def label(self, key: str) -> V:
        """Return the label that settled an id; None where it was given up."""
        return self._labels[key]

    def ends(self) -> tuple[int, str | None, str | None]:
        """Return how many are remembered, and the oldest and the newest of them."""
        if not self._order:
            return 0, None, None
        return len(self._order), self._order[0], self._order[-1]

    def add(self, key: str, label: V) -> None:
        """Remember an id that is not remembered yet."""
        self._labels[key] = label
        self._order.append(key)
        self._fresh += 1
        if len(self._order) > self._size:
            del self._labels[self._order.popleft()]

    def changes(self) -> tuple[list[tuple[str, V]], int]:
        """Return what came since the last chunk, and the oldest chunk that is still needed."""
        fresh = min(self._fresh, len(self._order))
        keys = list(islice(reversed(self._order), fresh))[::-1]
        needed, first = self._size - fresh, max(self._stored, default=0) + 1
        for number in sorted(self._stored, reverse=True):
            if needed <= 0:
                break
            needed -= self._stored[number]
            first = number
        return [(key, self._labels[key]) for key in keys], first

    def committed(self, added: int, first: int, number: int) -> None:
        """Take note that a chunk of ``added`` ids was written under a number."""
        self._stored = {n: size for n, size in self._stored.items() if n >= first}
        if added:
            self._stored[number] = added
        self._fresh = 0

    def restore(self, chunks: Sequence[tuple[int, list[tuple[str, V]]]]) -> None:
        """Become what the chunks say, given oldest first with their numbers."""
        self._stored = {number: len(added) for number, added in chunks}
        together = [pair for _, added in chunks for pair in added]
        self._labels = dict(together[-self._size :]) if self._size else {}
        self._order = deque(self._labels)
        self._fresh = 0
