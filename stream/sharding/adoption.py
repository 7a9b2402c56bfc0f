"""Adopting: what comes into a shard from outside of its partition, between two turns.

A checkpoint holds what was adopted before it, and the table ``adoptions`` after which records. So a
replay of the partition that adopts the same things at the same places comes to the same state.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

import structlog

from stream.adopted import Adoption
from stream.clock import Clock
from stream.errors import CheckpointDamagedError
from stream.line import Line
from stream.records import Record, TopicPartition
from stream.recovery import Recovered
from stream.storage.shared import Shared
from stream.storage.store import Store

_log = structlog.get_logger("riverrun.shards")

LOOK_SECONDS = 1.0
"""How often a worker looks for what is new."""

_Get = Callable[[str, int], Shared | None]


class Adopter(Protocol):
    """Takes one kind of thing into a line. It changes nothing but the line."""

    @property
    def kind(self) -> str:
        """Of what it takes."""

    @property
    def newest_only(self) -> bool:
        """Whether the newest makes those before it needless; otherwise all come, in order."""

    def adopt(self, line: Line, shared: Shared) -> None:
        """Change the line, and nothing else: the same line and thing give the same."""


class Script:
    """The adoptions of a history, adopted again at the same places by who replays it.

    Parameters
    ----------
    rows
        As the store has them, in order.
    get
        Returns what was adopted.
    adopters
        By any order; one a kind.
    missing
        Told what cannot be adopted again, since it was forgotten or nobody here adopts its kind.
    """

    def __init__(
        self,
        rows: Iterable[Adoption],
        get: _Get,
        adopters: Iterable[Adopter],
        missing: Callable[[Adoption], None],
    ) -> None:
        self._rows = deque(rows)
        self._get = get
        self._adopters = {adopter.kind: adopter for adopter in adopters}
        self._missing = missing

    def __len__(self) -> int:
        return len(self._rows)

    def turns(self, line: Line, records: list[Record]) -> Iterator[list[Record]]:
        """Yield the records in parts, and adopt between them; each part must then be handled."""
        while self._rows and records:
            place = self._rows[0].learned_offset
            stop = _until(line, records, place)
            if stop:
                yield records[:stop]
                records = records[stop:]
            while self._rows and line.learned_offset >= self._rows[0].learned_offset:
                self._adopt(line, self._rows.popleft())
        if records:
            yield records

    def _adopt(self, line: Line, row: Adoption) -> None:
        adopter, found = self._adopters.get(row.kind), self._get(row.kind, row.number)
        if adopter is None or found is None:
            self._missing(row)
        else:
            take(line, adopter, found)


class Adopting:
    """Looks between a worker's turns for what its shard has to adopt.

    Parameters
    ----------
    store
        Of the shard.
    adopters
        What is adopted, and how; without any, nobody looks.
    clock
        For how often it looks, and for what is written down.
    seconds
        Between two looks.
    """

    def __init__(
        self,
        store: Store,
        adopters: Sequence[Adopter],
        clock: Clock,
        seconds: float = LOOK_SECONDS,
    ) -> None:
        self._store = store
        self._adopters = adopters
        self._clock = clock
        self._seconds = seconds
        self._next = float("-inf")
        self._script = self._script_of([])
        self._live_from = 0
        self._damaged: dict[str, int] = {}

    def begin(self, recovered: Recovered) -> None:
        """Begin with a line that was loaded, or that learns the partition anew.

        In the second case what was adopted before is adopted again, where it was; nothing else is
        until all has been read that had been read before.

        Raises
        ------
        StoreUnreachableError
        """
        is_replay = bool(self._adopters) and not recovered.restored
        rows = self._store.adoptions.all() if is_replay else []
        if rows and rows[0].position:
            self._tell("adoptions_forgotten", first_kept=rows[0].position)
        self._script = self._script_of(rows)
        self._live_from = sum(recovered.silent_until.values())
        self._next = float("-inf")

    def turns(self, line: Line, records: list[Record]) -> Iterator[list[Record]]:
        """Yield the records in as many parts as there are turns, and adopt between or after them.

        Raises
        ------
        CheckpointDamagedError
            When something that may not be passed over does not fit its seal.
        StoreUnreachableError
        """
        if self._script:
            yield from self._script.turns(line, records)
        elif records:
            yield records
        if self._adopters and not self._script and line.learned_offset >= self._live_from:
            self._look(line)

    def _look(self, line: Line) -> None:
        now = self._clock.monotonic()
        if now < self._next:
            return
        self._next = now + self._seconds
        newest = self._store.shared.numbers()
        for adopter in self._adopters:
            last, number = line.adopted.numbers.get(adopter.kind, 0), newest.get(adopter.kind, 0)
            if number <= last:
                continue
            wanted = [number] if adopter.newest_only else self._after(adopter.kind, last)
            for one in wanted:
                self._adopt(line, adopter, one)

    def _after(self, kind: str, number: int) -> list[int]:
        return self._store.shared.after(kind, number)

    def _adopt(self, line: Line, adopter: Adopter, number: int) -> None:
        try:
            found = self._store.shared.get(adopter.kind, number)
        except CheckpointDamagedError as error:
            if not adopter.newest_only:
                raise
            if self._damaged.get(adopter.kind) != number:
                self._damaged[adopter.kind] = number
                self._tell("shared_damaged", kind=adopter.kind, number=number, message=str(error))
            return
        if found is not None:
            take(line, adopter, found)
            _log.debug("adopted", kind=adopter.kind, number=number)

    def _script_of(self, rows: Iterable[Adoption]) -> Script:
        return Script(rows, self._store.shared.get, self._adopters, self._missed)

    def _missed(self, row: Adoption) -> None:
        self._tell("adoption_missing", kind=row.kind, number=row.number, position=row.position)

    def _tell(self, event: str, **detail: object) -> None:
        _log.warning(event, **{"of" if name == "kind" else name: v for name, v in detail.items()})
        self._store.record(event, detail, self._clock.now())


def take(line: Line, adopter: Adopter, shared: Shared) -> None:
    """Let a line adopt something, and remember where it did."""
    if line.watch is not None:  # panes that close by it remember where; a line just loaded does not
        line.watch.stands_at(line.offsets)
    adopter.adopt(line, shared)
    line.adopted.note(shared.kind, shared.number, line.learned_offset)


def _until(line: Line, records: Sequence[Record], learned_offset: int) -> int:
    """Return how many of the next records a line handles until it has read so far."""
    offsets, read = dict(line.offsets), line.learned_offset
    for index, record in enumerate(records):
        if read >= learned_offset:
            return index
        place = TopicPartition(record.topic, record.partition)
        read += record.offset + 1 - offsets.get(place, 0)
        offsets[place] = record.offset + 1
    return len(records)
