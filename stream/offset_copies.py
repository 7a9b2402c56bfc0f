"""Offsets copied to the log, where its own lag tools look; the truth is in the store."""

from __future__ import annotations

import structlog

from stream.clock import Clock
from stream.errors import LogError
from stream.log import Source
from stream.records import Offsets

_log = structlog.get_logger("riverrun.worker")

_PAUSE_SECONDS = 30.0


class OffsetCopies:
    """Copies offsets after each checkpoint; where that fails nothing is lost, and it is said.

    Parameters
    ----------
    source
        Of the log.
    clock
        For the pause after a failure: each attempt may take some seconds.

    Attributes
    ----------
    failed
        How many attempts did.
    """

    def __init__(self, source: Source, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._not_before = float("-inf")
        self.failed = 0

    def copy(self, offsets: Offsets) -> None:
        """Copy offsets, unless the last attempt has failed just now."""
        if self._clock.monotonic() < self._not_before:
            return
        try:
            self._source.commit(offsets)
        except LogError as error:
            # Somebody else's members in the group, a missing permission, or the log is away: then
            # whoever reads or writes will say so, and bear it for as long as is configured.
            self.failed += 1
            self._not_before = self._clock.monotonic() + _PAUSE_SECONDS
            _log.warning("offsets_not_copied", message=str(error))
