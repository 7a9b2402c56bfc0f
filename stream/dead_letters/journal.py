"""What was replayed before: marks on the dead-letter topic itself.

A replay writes a mark before each batch: which records it is about to append, and where the topics
ended then. Once the same replay wrote a later mark, or that it is done, the batch is known to be on
the log. Of a replay that was killed only the last batch is *open*; whether its records are there is
read from the log, from the ends in the mark on, by the header that every replay carries.

So nothing has to be searched but the few records since a crash, and nothing is forgotten: a mark
stands on the partition of its letters, behind them, so retention drops the letters first. A scan of
the source topics for replays would cost a day of events to replay a day's letters, and forget what
expired there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable
from typing import Literal

import msgspec

from stream.origin import Place
from stream.records import NewRecord, Offsets, Record, TopicPartition

MARK_HEADER = "riverrun-replay"
"""Header of a mark; its value is the version of the form."""

_VERSION = b"1"
_Verdict = Literal["replayed", "open", "void"]


class Mark(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a replay says about itself on the dead-letter topic.

    Parameters
    ----------
    run
        Name of the replay.
    batch
        Rises by one with each batch.
    kind
        ``begin`` before a batch is appended; ``landed`` says which records of the batch are on the
        log, where that had to be found out; ``done`` ends the replay.
    places
        Of the records that could not be used.
    firsts
        Places of their first appends, in the same order; what the replays' headers name.
    ends
        Where the partitions that are appended to ended before the batch, by ``topic-partition``.
    """

    run: str
    batch: int
    kind: Literal["begin", "landed", "done"]
    places: list[Place] = []
    firsts: list[Place] = []
    ends: dict[str, int] = {}

    @property
    def starts(self) -> Offsets:
        """Where to look for the batch."""
        return {TopicPartition.parse(name): offset for name, offset in self.ends.items()}

    def landed(self, places: Collection[Place]) -> Mark:
        """Return the mark that of this batch only these places are on the log."""
        there = [place for place in self.places if place in places]
        return Mark(self.run, self.batch, "landed", there, there)


class Standing(msgspec.Struct, frozen=True):
    """A mark, and the partition and time of its record."""

    mark: Mark
    partition: int
    time: int

    @property
    def key(self) -> tuple[str, int, int]:
        """What tells it from all others."""
        return self.mark.run, self.mark.batch, self.partition


def mark_record(mark: Mark, topic: str, partition: int) -> NewRecord:
    """Return the record of a mark."""
    headers = ((MARK_HEADER, _VERSION),)
    # Where a topic is compacted, only a mark that says more may take the place of another.
    part = "done" if mark.kind == "done" else "batch"
    key = f"{MARK_HEADER}/{mark.run}/{mark.batch}/{part}".encode()
    return NewRecord(topic, key, msgspec.json.encode(mark), headers, partition)


def read_mark(record: Record) -> Standing | None:
    """Return the mark that a record of the dead-letter topic is; None where it is none.

    Examples
    --------
    >>> new = mark_record(Mark("a", 1, "done"), "d", 0)
    >>> read_mark(Record("d", 0, 5, 1_000, new.key, new.value, new.headers)).mark.kind
    'done'
    """
    if record.header(MARK_HEADER) != _VERSION or record.value is None:
        return None
    try:
        mark = msgspec.json.decode(record.value, type=Mark)
        mark.starts  # noqa: B018 (or a name in it that is no partition would fail later)
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError):
        return None
    if len(mark.firsts) != len(mark.places):
        return None
    return Standing(mark, record.partition, record.timestamp)


class Journal:
    """Which records were replayed. Their places are kept on disk, in a file that SQLite deletes.

    Marks are taken in any order, and may be taken again; what they mean together is asked after
    that.

    Examples
    --------
    >>> one, two = Place("s.events", 0, 1), Place("s.events", 0, 2)
    >>> journal = Journal()
    >>> journal.take(Standing(Mark("a", 1, "begin", [one], [one]), 0, 0))
    >>> journal.take(Standing(Mark("a", 2, "begin", [two], [two]), 0, 0))
    >>> journal.state(one), journal.state(two), journal.state(Place("s.events", 0, 3))
    ('replayed', 'open', None)
    """

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._db.executescript(
            "PRAGMA journal_mode = OFF;"
            "CREATE TABLE places (topic, partition, offset, mark, "
            "PRIMARY KEY (topic, partition, offset, mark)) WITHOUT ROWID;"
        )
        self._begun: dict[tuple[str, int, int], int] = {}
        self._runs: dict[str, int] = {}
        self._landed: set[tuple[str, int, int]] = set()
        self._numbers = 0
        self._judged: dict[int, _Verdict] = {}

    def take(self, standing: Standing) -> None:
        """Take note of a mark."""
        mark, key = standing.mark, standing.key
        self._judged = {}
        if mark.kind != "landed":
            last = mark.batch + (mark.kind == "done")
            self._runs[mark.run] = max(last, self._runs.get(mark.run, 0))
        if mark.kind == "landed":
            self._landed.add(key)
            self._keep(0, mark.places)
        elif mark.kind == "begin" and key not in self._begun:
            self._numbers += 1
            self._begun[key] = self._numbers
            self._keep(self._numbers, mark.places)

    def state(self, place: Place) -> Literal["replayed", "open"] | None:
        """Return whether a record was replayed; ``open`` where that is not known."""
        query = "SELECT mark FROM places WHERE topic = ? AND partition = ? AND offset = ?"
        if not self._judged:
            self._judged = {number: self._judge(key) for key, number in self._begun.items()}
            self._judged[0] = "replayed"
        found = {self._judged[number] for (number,) in self._db.execute(query, _row(place))}
        if "replayed" in found:
            return "replayed"
        return "open" if "open" in found else None

    def is_open(self, standing: Standing) -> bool:
        """Return whether it is not known if the batch of a mark is on the log."""
        return standing.key in self._begun and self._judge(standing.key) == "open"

    def settle(self, standing: Standing, places: Collection[Place]) -> Mark:
        """Take note of which records of an open batch are on the log; return the mark of that."""
        mark = standing.mark.landed(places)
        self.take(Standing(mark, standing.partition, standing.time))
        return mark

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def _judge(self, key: tuple[str, int, int]) -> _Verdict:
        """Return what a batch's mark says of its records; nothing, where another one says more."""
        run, batch, _ = key
        if key in self._landed:
            return "void"
        return "open" if batch >= self._runs[run] else "replayed"

    def _keep(self, number: int, places: Iterable[Place]) -> None:
        rows = [(*_row(place), number) for place in places]
        self._db.execute("BEGIN")
        self._db.executemany("INSERT OR IGNORE INTO places VALUES (?, ?, ?, ?)", rows)
        self._db.execute("COMMIT")


def _row(place: Place) -> tuple[str, int, int]:
    return place.topic, place.partition, place.offset
