"""How far a worker is behind the ends of its partitions, asked for now and then."""

from __future__ import annotations

from stream.errors import LogError, LogUnreachableError
from stream.log import Source

_SECONDS = 2.0


class Lag:
    """Asks a source for its lag, every two seconds at most, or where it may have become none.

    Parameters
    ----------
    source
        The worker's.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._asked_at = float("-inf")
        self._found: dict[str, int] | None = None

    def is_none(self) -> bool:
        """Return whether everything was read, asked now; a log that is silent does not say so.

        The next poll bears that silence, tells of it, and ends it when its patience is over.
        """
        try:
            return not any(self._source.lag().values())
        except LogUnreachableError:
            return False

    def read(self, now: float, *, is_idle: bool) -> dict[str, int] | None:
        """Return the records that were not read yet, by partition; None where the log is silent.

        Parameters
        ----------
        now
            Seconds on a monotonic clock.
        is_idle
            Whether the last poll found nothing.
        """
        if is_idle or now - self._asked_at >= _SECONDS:
            self._asked_at = now
            try:
                self._found = {str(place): lag for place, lag in self._source.lag().items()}
            except LogError:  # lag is only told: what needs the log will say what is wrong with it
                self._found = None
        return self._found
