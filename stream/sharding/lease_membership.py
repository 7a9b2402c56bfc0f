"""Membership by leases in the store, for logs that know no groups: several local workers."""

from __future__ import annotations

import time
from functools import partial

import structlog

from stream.clock import Clock
from stream.errors import StoreError, StoreUnreachableError
from stream.records import Offsets
from stream.sharding.membership import Change
from stream.storage.leases import Leases

_log = structlog.get_logger("riverrun.shards")

_LONGEST_TICK_SECONDS = 1.0


class LeaseMembership:
    """A member that renews its leases; whoever has more than its part gives the rest back.

    Parameters
    ----------
    leases
        Of the stream.
    member
        Its name, unlike that of any other.
    count
        Of all shards.
    seconds
        That a member may be silent.
    clock
        The machine's, but in tests.
    """

    copies_offsets = False

    def __init__(
        self, leases: Leases, member: str, count: int, seconds: float, clock: Clock
    ) -> None:
        self._leases = leases
        self._member = member
        self._count = count
        self._seconds = seconds
        self._clock = clock
        self._tick = min(_LONGEST_TICK_SECONDS, seconds / 6)
        self._next = clock.monotonic()
        self._held: frozenset[int] = frozenset()
        self._leaving: frozenset[int] = frozenset()
        self.has_joined = False
        self._heard_at = float("-inf")

    @property
    def is_heard(self) -> bool:
        """Whether the leases were renewed before they ran out."""
        return self._clock.monotonic() - self._heard_at < self._seconds

    def poll(self, seconds: float) -> list[Change]:
        """Renew the leases where that is due, and return what changed."""
        wait = self._next - self._clock.monotonic()
        if wait > 0:
            time.sleep(min(wait, seconds))
            return []
        try:
            part = self._leases.share(self._member, self._count, self._seconds, self._clock.now())
        except StoreUnreachableError as error:
            # The workers of the shards bear the same outage, for as long as is configured.
            _log.warning("leases_not_renewed", reason=str(error))
            self._next = self._clock.monotonic() + self._tick
            return []
        self._heard_at = self._clock.monotonic()
        self._next = self._heard_at + self._tick
        self.has_joined = True
        lost, new = self._held - part.held, part.held - self._held
        unwanted = part.too_many - self._leaving
        self._held = part.held
        self._leaving = (self._leaving & part.held) | unwanted
        changes = [
            Change("lost", lost),
            Change("revoked", unwanted, partial(self._give_back, unwanted)),
            Change("assigned", new - unwanted),
        ]
        return [change for change in changes if change.numbers]

    def copy(self, offsets: Offsets) -> None:
        """Do nothing: sources copy their offsets themselves."""

    def leave(self) -> None:
        """Give up every lease."""
        try:
            self._leases.leave(self._member)
        except StoreError as error:  # they run out by themselves
            _log.warning("leases_not_given_up", reason=str(error))

    def _give_back(self, numbers: frozenset[int]) -> None:
        self._held -= numbers
        self._leaving -= numbers
        try:
            self._leases.release(self._member, numbers)
        except StoreError as error:
            # They are still leased: the next share says that they are held, and assigns them anew.
            _log.warning("leases_not_given_up", reason=str(error))
