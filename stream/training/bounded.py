"""Reading the log up to some offsets, and no record beyond them."""

from __future__ import annotations

from stream.log import Source
from stream.records import Offsets, Record, TopicPartition


class BoundedReader:
    """Polls a source for the records below a target.

    Records beyond it are let go, and read again for the next target. To seek back at once would
    find the same ones again, where those of one partition are older than what is wanted of another.

    Parameters
    ----------
    source
        Positioned; it is closed by whoever opened it.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._let_go = False

    def begin(self, at: Offsets) -> None:
        """Go on from some offsets, for another target than before."""
        if self._let_go:
            self._source.seek(at)
            self._let_go = False

    def poll(self, target: Offsets, max_records: int, seconds: float) -> tuple[list[Record], bool]:
        """Return the next records below a target, and whether the source had any at all."""
        records = self._source.poll(max_records, seconds)
        kept = below(records, target)
        self._let_go |= len(kept) < len(records)
        return kept, bool(records)


def below(records: list[Record], target: Offsets) -> list[Record]:
    """Return the records that lie before the target of their partition."""
    return [
        record
        for record in records
        if record.offset < target.get(TopicPartition(record.topic, record.partition), 0)
    ]


def is_reached(offsets: Offsets, target: Offsets) -> bool:
    """Return whether nothing below a target is left to read."""
    return all(offsets.get(place, 0) >= end for place, end in target.items())
