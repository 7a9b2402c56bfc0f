"""Columns whose change says nothing: ids, times, and numbers that rise all the time."""

from __future__ import annotations

from typing import Any

import numpy as np

from serve.tabular.kinds import Kind, as_list
from serve.tabular.table import Values
from stream.events import parse_time

_LEAST = 50
_ID_WORDS = ("id", "key", "uuid", "guid")
_TIME_WORDS = ("timestamp", "time", "ts", "datetime", "date", "at")
_ALONE = 0.95
_MANY = 100
_RISES_LEAST = 50
_RISING = 0.95
_EPOCH_SECONDS = (1e8, 1e10)
_SCALES = (1.0, 1e3, 1e6, 1e9)


def role_of(name: str, kind: Kind, values: Values) -> str | None:
    """Tell whether a column is an id or a time, by its first rows.

    Parameters
    ----------
    name
        Its name.
    kind
        What it holds.
    values
        Of the first rows.

    Returns
    -------
    str or None
        What it is, in words that follow its name; None for a column like others.

    Examples
    --------
    >>> role_of("order", "string", [f"a{k}" for k in range(100)])
    'differs in nearly every row, as an id or free text does'
    >>> role_of("x", "float", np.random.default_rng(0).normal(size=100)) is None
    True
    """
    present = [value for value in as_list(values) if value is not None]
    if kind not in ("int", "float", "string") or len(present) < _LEAST:
        return None
    if _holds_times(name, kind, present):
        return "holds times"
    distinct = len(set(map(str, present)))
    if kind == "string" and distinct >= _ALONE * len(present):
        return "differs in nearly every row, as an id or free text does"
    if kind == "float" and not all(float(n).is_integer() for n in present if not _is_text(n)):
        return None
    if kind != "string" and distinct == len(present) and _rises(present):
        return "differs in every row and rises, as an id does"
    if _is_named(name, _ID_WORDS) and distinct > _MANY:
        return f"is named as an id and has {distinct:,} different values"
    return None


class Trail:
    """Follows a column through a file, to see whether it rises all the time.

    Examples
    --------
    >>> before, after = Trail(), Trail()
    >>> before.follow(np.arange(60.0))
    >>> after.follow(np.arange(60.0, 90.0))
    >>> before.is_clock(), before.goes_on_in(after), after.goes_on_in(before)
    (True, True, False)
    """

    def __init__(self) -> None:
        self.first: float | None = None
        self.last = 0.0
        self.is_number = True
        self._rises = self._falls = 0
        self._up = self._down = 0.0

    def follow(self, values: Values) -> None:
        """Take the next values."""
        numbers = _numbers(values) if self.is_number else None
        if numbers is None:
            self.is_number = False
        elif len(numbers):
            if self.first is None:
                self.first = self.last = float(numbers[0])
            with np.errstate(over="ignore"):
                moves = np.diff(numbers, prepend=self.last)
            self._rises += int(np.count_nonzero(moves > 0))
            self._falls += int(np.count_nonzero(moves < 0))
            self._up += float(moves.clip(min=0.0).sum())
            self._down -= float(moves.clip(max=0.0).sum())
            self.last = float(numbers[-1])

    def is_clock(self) -> bool:
        """Tell whether nearly all of its moves go up, and what goes down is little of it.

        Real clocks are set back now and then. The hour of the day also goes up nearly always, but
        all of it comes down again.
        """
        return self._rises >= _RISES_LEAST and self._is_rising() and self._down < self._up / 3

    def goes_on_in(self, later: Trail) -> bool:
        """Tell whether it is a clock that in a later file goes on from where it ends in this."""
        begins = later.first is not None and later.first >= self.last
        return self.is_clock() and later._is_rising() and begins

    def _is_rising(self) -> bool:
        return self.is_number and self._rises >= _RISING * (self._rises + self._falls)


def _numbers(values: Values) -> np.ndarray[Any, Any] | None:
    """Give those that are there, if they are numbers."""
    if not isinstance(values, np.ndarray):
        present = [value for value in values if value is not None]
        if not set(map(type, present)) <= {int, float}:
            return None
        try:
            values = np.array(present, dtype=np.float64)
        except OverflowError:
            return None
    return values[np.isfinite(values)].astype(np.float64)


def _holds_times(name: str, kind: Kind, present: list[Any]) -> bool:
    if kind == "string":
        return all(parse_time(value) is not None for value in present)
    if not _is_named(name, _TIME_WORDS):
        return False
    low, high = _EPOCH_SECONDS
    return any(
        all(not _is_text(n) and low <= n / scale < high for n in present) for scale in _SCALES
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _rises(present: list[Any]) -> bool:
    if any(_is_text(value) for value in present):
        return False
    return bool((np.diff(np.array(present, dtype=np.float64)) > 0).all())


def _is_named(name: str, words: tuple[str, ...]) -> bool:
    lowered = name.casefold()
    ends = tuple(f"{mark}{word}" for mark in "_- ." for word in words)
    camel = tuple(word.capitalize() for word in words if len(word) > 1)
    return lowered in words or lowered.endswith(ends) or name.endswith(camel)
