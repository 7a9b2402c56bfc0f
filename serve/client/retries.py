"""When a request is sent again: only where that cannot do anything twice."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from serve.client.errors import ApiError, ClientError, NoAnswerError

_BUSY = (429, 502, 503)


class Repeat(Enum):
    """What a second sending of a request does.

    ``ALWAYS``: the same as the first. ``REFUSED``: something twice, unless the first was not sent
    or was answered with a refusal, after which nothing was done. ``NEVER``: it is a person's
    decision, who is to look first.
    """

    ALWAYS = "always"
    REFUSED = "refused"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Retries:
    """How often and after how long a failed request is sent again.

    Parameters
    ----------
    attempts
        In all; 1 never tries again.
    first_seconds, longest_seconds
        The pause doubles from the first to the longest. A server that asks for a longer one by
        Retry-After is not waited for.
    jitter
        Share of the pause that is waited, in [0, 1).

    Examples
    --------
    >>> retries = Retries(attempts=3, first_seconds=1.0, jitter=lambda: 0.5)
    >>> lost = NoAnswerError("http://127.0.0.1:1", "refused", was_sent=False)
    >>> [retries.delay(Repeat.ALWAYS, lost, failures) for failures in (1, 2, 3)]
    [0.75, 1.5, None]
    >>> retries.delay(Repeat.NEVER, lost, 1) is None
    True
    """

    attempts: int = 4
    first_seconds: float = 0.2
    longest_seconds: float = 10.0
    jitter: Callable[[], float] = random.random

    def delay(self, repeat: Repeat, error: ClientError, failures: int) -> float | None:
        """Return the seconds to wait before another try; None where there is none.

        Parameters
        ----------
        repeat
            What a second sending does.
        error
            Of the last try.
        failures
            Tries so far.
        """
        if failures >= self.attempts or not _is_safe(repeat, error):
            return None
        asked = error.retry_after if isinstance(error, ApiError) else None
        if asked is not None and asked > self.longest_seconds:
            return None
        return max(self.pause(failures), asked or 0.0)

    def pause(self, failures: int) -> float:
        """Return the seconds between two tries: twice as long each time, less some chance."""
        whole = min(self.longest_seconds, self.first_seconds * 2.0 ** min(failures - 1, 30))
        return whole * (0.5 + 0.5 * self.jitter())


def _is_safe(repeat: Repeat, error: ClientError) -> bool:
    if repeat is Repeat.NEVER:
        return False
    if isinstance(error, NoAnswerError):
        return repeat is Repeat.ALWAYS or not error.was_sent
    if not isinstance(error, ApiError):
        return False
    if repeat is Repeat.ALWAYS:
        from_between = error.status == 504 and error.kind == "about:blank"
        # As where a model has not read far enough yet, the server may say when to ask again.
        return error.status in _BUSY or from_between or error.retry_after is not None
    # A proxy's 502 or 503 says nothing about what became of the request; a problem of ours does.
    return error.status == 429 or (error.status == 503 and error.kind in _NOTHING_DONE)


_NOTHING_DONE = frozenset({"no_model", "log_busy", "too_many_viewers"})
