"""The rolling scores of the status: costly to add up, so not at every checkpoint."""

from __future__ import annotations

from typing import Any

from stream.line import Line

_EVERY_SECONDS = 5.0


class RollingScores:
    """The scores over the last labels, added up now and then."""

    def __init__(self) -> None:
        self._value: dict[str, Any] | None = None
        self._at = float("-inf")
        self._of = 0

    def is_behind(self, line: Line) -> bool:
        """Return whether labels came since they were added up."""
        return self._of != line.scores.scored

    def read(self, line: Line, now: float, *, is_wanted: bool) -> dict[str, Any] | None:
        """Return them, added up anew where that is wanted or they are old.

        Parameters
        ----------
        line
            Whose they are.
        now
            Seconds on a monotonic clock.
        is_wanted
            Whether there is time for it.
        """
        if is_wanted or now - self._at >= _EVERY_SECONDS:
            self._value, self._at, self._of = line.scores.rolling(), now, line.scores.scored
        return self._value
