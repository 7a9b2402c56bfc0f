"""The order of records over independent partitions: a merge that does not depend on arrival."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterable, Sequence
from heapq import heapify, heappop, heapreplace

from stream.records import Record, TopicPartition


class Merge:
    """Merges the heads of partitions by (timestamp, topic as asked for, partition).

    A partition without a buffered head blocks the merge, unless it is known to be at its end:
    its next record might come first. So the order depends on the log alone, not on the way in
    which records trickle in. Records of one partition keep their order, whatever their timestamps.

    Parameters
    ----------
    partitions
        In the order that breaks ties: by topic as asked for, then by number.

    Examples
    --------
    >>> events, labels = TopicPartition("events", 0), TopicPartition("labels", 0)
    >>> merge = Merge([events, labels])
    >>> merge.feed(labels, [Record("labels", 0, 0, 5, None, b"label")])
    >>> merge.take(10, ended=())
    []
    >>> merge.feed(events, [Record("events", 0, 0, 5, None, b"event")])
    >>> [record.value for record in merge.take(10, ended=[events, labels])]
    [b'event', b'label']
    """

    def __init__(self, partitions: Sequence[TopicPartition]) -> None:
        self._partitions = tuple(partitions)
        self._buffers: dict[TopicPartition, deque[Record]] = {p: deque() for p in partitions}

    def widen(self, partitions: Sequence[TopicPartition]) -> None:
        """Take partitions in that were added; what waits stays where it is."""
        self._partitions = tuple(partitions)
        self._buffers = {p: self._buffers.get(p, deque()) for p in partitions}

    def feed(self, partition: TopicPartition, records: Iterable[Record]) -> None:
        """Add the next records of a partition, in order of offset."""
        self._buffers[partition].extend(records)

    def buffered(self, partition: TopicPartition) -> int:
        """Return how many records of a partition wait here."""
        return len(self._buffers[partition])

    def head(self, partition: TopicPartition) -> Record | None:
        """Return the first record of a partition that waits here."""
        buffer = self._buffers[partition]
        return buffer[0] if buffer else None

    def clear(self) -> None:
        """Forget what waits here: the reader goes elsewhere."""
        for buffer in self._buffers.values():
            buffer.clear()

    def take(self, max_records: int, ended: Container[TopicPartition]) -> list[Record]:
        """Return up to ``max_records`` next records whose place in the order is certain.

        Parameters
        ----------
        max_records
            At least 1.
        ended
            The partitions that hold nothing behind what was fed.
        """
        if len(self._partitions) == 1:
            buffer = self._buffers[self._partitions[0]]
            return [buffer.popleft() for _ in range(min(max_records, len(buffer)))]
        heads = []
        for rank, partition in enumerate(self._partitions):
            buffer = self._buffers[partition]
            if buffer:
                heads.append((buffer[0].timestamp, rank))
            elif partition not in ended:
                return []
        heapify(heads)
        return self._drain(heads, max_records, ended)

    def _drain(
        self, heads: list[tuple[int, int]], max_records: int, ended: Container[TopicPartition]
    ) -> list[Record]:
        taken: list[Record] = []
        while heads and len(taken) < max_records:
            rank = heads[0][1]
            buffer = self._buffers[self._partitions[rank]]
            taken.append(buffer.popleft())
            if buffer:
                heapreplace(heads, (buffer[0].timestamp, rank))
            elif self._partitions[rank] in ended:
                heappop(heads)
            else:
                break
        return taken
