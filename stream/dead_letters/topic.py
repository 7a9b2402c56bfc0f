"""The dead-letter topic as it was at one moment: its letters, and the marks of replays."""

from __future__ import annotations

from collections.abc import Iterator

from stream.dead_letters.journal import Journal, Standing, read_mark
from stream.dead_letters.letter import Letter, read_letter
from stream.dead_letters.reading import Progress, offset_count, record_at, records_until
from stream.log import Bounds, Log
from stream.origin import Place
from stream.records import Record


class DeadLetterTopic:
    """Reads the letters that the topic holds now, as often as asked; later ones do not count.

    Parameters
    ----------
    log
        The stream's.
    topic
        Its dead-letter topic.

    Attributes
    ----------
    journal
        What was replayed, as far as records have been read.
    others
        Records that the last reading found to be neither letters nor marks.

    Raises
    ------
    TopicNotFoundError, LogUnreachableError
    """

    def __init__(self, log: Log, topic: str) -> None:
        self.topic = topic
        self.journal = Journal()
        self.others = 0
        self._source = log.source([topic])
        self._bounds = self._source.bounds()
        self._marked = dict(self._bounds)
        self._unfinished: dict[tuple[str, int], Standing] = {}

    @property
    def partitions(self) -> list[int]:
        """The numbers of its partitions."""
        return [tp.partition for tp in self._bounds]

    @property
    def offset_count(self) -> int:
        """How many offsets a reading passes."""
        return offset_count(self._bounds)

    def letters(self, show: Progress) -> Iterator[tuple[Letter, Record]]:
        """Read all letters in the order of the log, and take note of the marks between them."""
        self.others = 0
        for record in records_until(self._source, self._bounds, show):
            if (letter := read_letter(record)) is not None:
                yield letter, record
            elif self._take_mark(record) is None:
                self.others += 1

    def at(self, partition: int, offset: int) -> tuple[Letter, Record] | None:
        """Return the letter at a place; None where there is none."""
        record = record_at(self._source, Place(self.topic, partition, offset))
        letter = None if record is None else read_letter(record)
        return None if record is None or letter is None else (letter, record)

    def new_marks(self, show: Progress) -> list[Standing]:
        """Read on where marks were read to; return those that were written since."""
        now = self._source.bounds()
        read = {tp: held.end for tp, held in self._marked.items()}
        unread = {
            tp: Bounds(max(held.earliest, read.get(tp, 0)), held.end)
            for tp, held in now.items()
            if held.end > read.get(tp, 0)
        }
        marks = []
        for record in records_until(self._source, unread, show):
            mark = self._take_mark(record) if read_letter(record) is None else None
            if mark is not None:
                marks.append(mark)
        self._marked = now
        return marks

    def open_marks(self) -> list[Standing]:
        """Return the marks of batches of which nobody knows if they are on the log."""
        return [mark for mark in self._unfinished.values() if self.journal.is_open(mark)]

    def close(self) -> None:
        """Let go of what is held."""
        self._source.close()
        self.journal.close()

    def _take_mark(self, record: Record) -> Standing | None:
        standing = read_mark(record)
        if standing is None:
            return None
        self.journal.take(standing)
        mark, key = standing.mark, (standing.mark.run, standing.partition)
        if mark.kind == "done":
            self._unfinished.pop(key, None)
        elif mark.kind == "begin":
            last = self._unfinished.get(key)
            if last is None or last.mark.batch < mark.batch:
                self._unfinished[key] = standing
        return standing
