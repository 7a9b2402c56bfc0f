"""Limits on requests: a bucket of tokens for each caller, in one number each."""

from __future__ import annotations

from math import ceil, floor
from typing import NamedTuple, Protocol

_BUCKETS = 10_000


class Verdict(NamedTuple):
    """What a limit says of one request.

    Parameters
    ----------
    allowed
        Whether it may pass.
    remaining
        How many more may follow at once.
    full_in
        Seconds until as many as ever may come at once.
    wait
        Seconds until the next one may pass; 0 where it may now.
    """

    allowed: bool
    remaining: int
    full_in: float
    wait: float


class Times(Protocol):
    """By bucket, the moment at which it will be full again, in seconds since the epoch."""

    def advance(self, bucket: str, now: float, step: float, most: float) -> tuple[float, bool]:
        """Move a bucket's moment on by ``step``, unless it would be over ``most`` from ``now``.

        Returns
        -------
        tuple
            How far the moment lies ahead of ``now`` afterwards, and whether it was moved.
        """


class LocalTimes:
    """The moments of this process, of the callers that are not full again."""

    def __init__(self) -> None:
        self._full_at: dict[str, float] = {}

    def advance(self, bucket: str, now: float, step: float, most: float) -> tuple[float, bool]:
        """Move a bucket's moment on; see ``Times``."""
        ahead, moved = advanced(self._full_at.get(bucket, 0.0), now, step, most)
        self._full_at[bucket] = now + ahead
        if len(self._full_at) > _BUCKETS:
            self._forget(now)
        return ahead, moved

    def _forget(self, now: float) -> None:
        """Forget those that are full, and where that is few also those that soon will be."""
        rest = sorted((at, bucket) for bucket, at in self._full_at.items() if at > now)
        self._full_at = {bucket: at for at, bucket in rest[-_BUCKETS // 2 :]}


class Limit:
    """So many requests a second on average, and so many at once.

    This is the generic cell rate algorithm: the same as a bucket of ``at_once`` tokens into which
    ``rate`` tokens fall each second, without anything that must be filled.

    Parameters
    ----------
    rate
        Requests a second.
    at_once
        Requests that may come together.
    times
        Where the moments are kept; of this process alone by default.

    Examples
    --------
    >>> limit = Limit(rate=1, at_once=2)
    >>> [limit.take("a", now).allowed for now in (0.0, 0.0, 0.0, 1.0, 1.0)]
    [True, True, False, True, False]
    >>> limit.policy
    '"key";q=2;w=2'
    """

    def __init__(self, rate: float, at_once: int, times: Times | None = None) -> None:
        self._step = 1 / rate
        self._most = at_once / rate
        self._times = times or LocalTimes()
        self.policy = f'"key";q={at_once};w={max(1, ceil(self._most))}'

    def take(self, bucket: str, now: float) -> Verdict:
        """Ask for one request; it is counted where it may pass."""
        ahead, allowed = self._times.advance(bucket, now, self._step, self._most)
        remaining = floor((self._most - ahead) / self._step + 1e-9)
        wait = 0.0 if allowed else ahead + self._step - self._most
        return Verdict(allowed, max(0, remaining), ahead, wait)

    def is_spent(self, bucket: str, now: float) -> Verdict | None:
        """Return the verdict where nothing may pass now; count nothing."""
        ahead, _ = self._times.advance(bucket, now, 0.0, self._most)
        wait = ahead + self._step - self._most
        return Verdict(False, 0, ahead, wait) if wait > 1e-9 else None


def advanced(full_at: float, now: float, step: float, most: float) -> tuple[float, bool]:
    """Return how far ahead of ``now`` a moment is after one request, and whether it may pass.

    Examples
    --------
    >>> advanced(0.0, now=10.0, step=1.0, most=2.0), advanced(12.0, now=10.0, step=1.0, most=2.0)
    ((1.0, True), (2.0, False))
    """
    ahead = max(0.0, full_at - now)
    return (ahead + step, True) if ahead + step <= most + 1e-9 else (ahead, False)


def fields(policy: bytes, verdict: Verdict) -> tuple[tuple[bytes, bytes], ...]:
    """Return the header fields that tell a caller of its limit.

    ``RateLimit`` and ``RateLimit-Policy`` as in draft-ietf-httpapi-ratelimit-headers-11.
    """
    found = b'"key";r=%d;t=%d' % (verdict.remaining, ceil(verdict.full_in))
    return (b"ratelimit-policy", policy), (b"ratelimit", found)
