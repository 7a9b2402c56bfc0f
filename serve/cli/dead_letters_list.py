"""A page of dead letters and what all of them are about, in memory that the page bounds."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from serve.cli.moments import moment_text
from stream.dead_letters.letter import Letter
from stream.dead_letters.reading import Progress
from stream.dead_letters.selection import Selection
from stream.dead_letters.topic import DeadLetterTopic
from stream.errors import InputError
from stream.origin import Place

_MOST_KINDS = 1_000
_OTHER = ("other", "other")


@dataclass(slots=True)
class Kind:
    """How many letters have one stage and reason, and when the first and last were written."""

    count: int
    first: int
    last: int


@dataclass(slots=True)
class Listing:
    """A page of dead letters, and a summary of those that the selection means.

    Parameters
    ----------
    topic
        The dead-letter topic.
    total, matched
        Letters that it holds, and those that are meant.
    others
        Records on it that are neither dead letters of riverrun nor marks of a replay.
    letters
        The page, with whether each was replayed: yes, no, or ``open`` where nobody knows.
    following
        Where the next page starts; None on the last.
    kinds
        By stage and reason, most often first; of those that are meant.
    present
        The same of all letters, where none is meant.
    """

    topic: str
    total: int = 0
    matched: int = 0
    others: int = 0
    letters: list[tuple[Letter, str]] = field(default_factory=list)
    following: str | None = None
    kinds: dict[tuple[str, str], Kind] = field(default_factory=dict)
    present: dict[tuple[str, str], Kind] = field(default_factory=dict)

    def as_data(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "topic": self.topic,
            "total": self.total,
            "matched": self.matched,
            "others": self.others,
            "summary": [
                {
                    "stage": stage,
                    "reason": reason,
                    "count": kind.count,
                    "first": moment_text(kind.first),
                    "last": moment_text(kind.last),
                }
                for (stage, reason), kind in self.kinds.items()
            ],
            "letters": [
                letter_data(letter) | {"replayed": state} for letter, state in self.letters
            ],
            "next": self.following,
        }


def read_listing(
    topic: DeadLetterTopic,
    selection: Selection,
    *,
    limit: int,
    oldest_first: bool,
    start: tuple[int, int] | None,
    show: Progress,
) -> Listing:
    """Read the whole topic once, and keep one page of it.

    Parameters
    ----------
    topic
        What is read.
    selection
        Which letters are meant.
    limit
        Letters on the page.
    oldest_first
        Whether the page begins with the oldest.
    start
        Partition and offset of the letter that the page begins with; None: the first of all.
    show
        Told how many offsets have been passed.

    Raises
    ------
    InputError
        When there is no letter at ``start``.
    LogError
    """
    listing = Listing(topic.topic)
    counted = _counted(topic, selection, listing, show)
    # One more than the page: the next page starts with it.
    if oldest_first:
        page, found = _page_upwards(counted, limit + 1, start)
    else:
        page, found = _page_downwards(counted, limit + 1, start)
    if not found and start is not None:
        raise InputError(
            f"--from: no dead letter at {start[0]}:{start[1]}; give the place that the page before "
            "named"
        )
    if len(page) > limit:
        listing.following = page.pop().place
    listing.letters = [(letter, _state(topic, letter.source)) for letter in page]
    listing.others = topic.others
    listing.kinds = _sorted(listing.kinds)
    listing.present = _sorted(listing.present)
    return listing


def _counted(
    topic: DeadLetterTopic, selection: Selection, listing: Listing, show: Progress
) -> Iterator[tuple[Letter, bool]]:
    """Count every letter, and pass it on with whether it is meant."""
    for letter, _ in topic.letters(show):
        listing.total += 1
        meant = letter in selection
        _count(listing.present, letter)
        if meant:
            listing.matched += 1
            _count(listing.kinds, letter)
        yield letter, meant


def _page_downwards(
    letters: Iterator[tuple[Letter, bool]], size: int, start: tuple[int, int] | None
) -> tuple[list[Letter], bool]:
    page: deque[Letter] = deque(maxlen=size)
    found = False
    for letter, meant in letters:
        if meant and not found:
            page.append(letter)
        found = found or (letter.partition, letter.offset) == start
    return list(page)[::-1], found


def _page_upwards(
    letters: Iterator[tuple[Letter, bool]], size: int, start: tuple[int, int] | None
) -> tuple[list[Letter], bool]:
    page: list[Letter] = []
    found = start is None
    for letter, meant in letters:
        found = found or (letter.partition, letter.offset) == start
        if meant and found and len(page) < size:
            page.append(letter)
    return page, found


def _count(kinds: dict[tuple[str, str], Kind], letter: Letter) -> None:
    key = (letter.stage, letter.reason)
    if key not in kinds and len(kinds) >= _MOST_KINDS:
        key = _OTHER
    kind = kinds.get(key)
    if kind is None:
        kinds[key] = Kind(1, letter.time, letter.time)
        return
    kind.count += 1
    kind.first, kind.last = min(kind.first, letter.time), max(kind.last, letter.time)


def _sorted(kinds: dict[tuple[str, str], Kind]) -> dict[tuple[str, str], Kind]:
    return dict(sorted(kinds.items(), key=lambda item: (-item[1].count, item[0])))


def _state(topic: DeadLetterTopic, place: Place) -> str:
    state = topic.journal.state(place)
    return {"replayed": "yes", "open": "open", None: "no"}[state]


def letter_data(letter: Letter) -> dict[str, Any]:
    """Return what a letter says of itself as JSON has it."""
    return {
        "place": letter.place,
        "time": moment_text(letter.time),
        "source": _place_data(letter.source, letter.source_time),
        "stage": letter.stage,
        "reason": letter.reason,
        "message": letter.message,
        "bytes": letter.size,
        "omitted": letter.omitted,
        "replay_of": (
            None if letter.origin is None else _place_data(letter.origin.place, letter.origin.time)
        ),
    }


def _place_data(place: Place, time: int | None) -> dict[str, Any]:
    return {
        "topic": place.topic,
        "partition": place.partition,
        "offset": place.offset,
        "time": None if time is None else moment_text(time),
    }
