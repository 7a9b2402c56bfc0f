"""Which dead letters are meant: by stage, reason and time, or by their places."""

from __future__ import annotations

import re
from collections.abc import Collection

import msgspec

from stream.dead_letters.letter import Letter
from stream.errors import InputError
from stream.events import parse_time
from stream.units import parse_duration

_PLACE = re.compile(r"(?:([0-9]{1,10}):)?([0-9]{1,19})")


class Selection(msgspec.Struct, frozen=True):
    """Dead letters to list or to replay; without anything, all.

    Parameters
    ----------
    stages, reasons
        Names; a letter has one of each. Empty: any.
    since, until
        When the letter was written, in milliseconds since the epoch: from (inclusive), to
        (exclusive). None: any time.
    places
        Pairs of partition and offset on the dead-letter topic; None: any place.

    Examples
    --------
    >>> Selection().is_everything, Selection(stages=frozenset({"decode"})).is_everything
    (True, False)
    """

    stages: frozenset[str] = frozenset()
    reasons: frozenset[str] = frozenset()
    since: int | None = None
    until: int | None = None
    places: frozenset[tuple[int, int]] | None = None

    @property
    def is_everything(self) -> bool:
        """Whether no letter is left out."""
        return self == Selection()

    def __contains__(self, letter: Letter) -> bool:
        return (
            (not self.stages or letter.stage in self.stages)
            and (not self.reasons or letter.reason in self.reasons)
            and (self.since is None or letter.time >= self.since)
            and (self.until is None or letter.time < self.until)
            and (self.places is None or (letter.partition, letter.offset) in self.places)
        )


def parse_moment(option: str, text: str, now: int) -> int:
    """Return a moment in milliseconds since the epoch.

    Parameters
    ----------
    option
        Named in the error message.
    text
        RFC 3339, or a duration back from now.
    now
        The time of day, in milliseconds.

    Raises
    ------
    InputError

    Examples
    --------
    >>> parse_moment("--since", "2h", now=7_200_001)
    1
    >>> parse_moment("--since", "1970-01-01T00:00:01Z", now=0)
    1000
    >>> parse_moment("--since", "yesterday", now=0)
    Traceback (most recent call last):
    ...
    stream.errors.InputError: --since: found 'yesterday'; give RFC 3339 such as ...
    """
    try:
        return now - parse_duration(text)
    except ValueError:
        moment = parse_time(text)
    if moment is None:
        raise InputError(
            f"{option}: found {text!r}; give RFC 3339 such as 2025-01-31T10:00:00Z, or a duration "
            "back such as 30m, 2h or 7d"
        )
    return moment


def parse_place(text: str, partitions: Collection[int]) -> tuple[int, int]:
    """Return partition and offset of ``0:17``, or of ``17`` where there is one partition.

    Raises
    ------
    InputError

    Examples
    --------
    >>> parse_place("0:17", [0, 1]), parse_place("17", [0])
    ((0, 17), (0, 17))
    """
    match = _PLACE.fullmatch(text.strip())
    if match is None:
        raise InputError(f"place {text!r}: give partition:offset, as 'list' shows it, such as 0:17")
    if match[1] is None and len(partitions) > 1:
        raise InputError(
            f"place {text!r}: the topic has {len(partitions)} partitions; name one, such as "
            f"0:{match[2]}"
        )
    partition = min(partitions) if match[1] is None else int(match[1])
    if partition not in partitions:
        raise InputError(
            f"place {text!r}: the topic has no partition {partition}, only 0 to {max(partitions)}"
        )
    return partition, int(match[2])
