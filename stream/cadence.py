"""When the next checkpoint is due, so that checkpoints cost a stated share of the time."""

from __future__ import annotations

from stream.sections import CheckpointSection


class Cadence:
    """Spaces checkpoints by what the last one took.

    With a share of 2 %, the next one waits 50 times as long as the last one took, within the
    configured bounds.

    Parameters
    ----------
    config
        The section ``[checkpoint]``.
    now
        Seconds on a monotonic clock.

    Examples
    --------
    >>> cadence = Cadence(CheckpointSection(share=0.02, min_interval="1s"), now=0.0)
    >>> cadence.is_due(0.9), cadence.is_due(1.0)
    (False, True)
    >>> cadence.done(started=1.0, ended=1.1)
    >>> cadence.is_due(6.0), cadence.is_due(6.2)
    (False, True)
    """

    def __init__(self, config: CheckpointSection, now: float) -> None:
        self._share = config.share
        self._shortest = config.min_interval / 1000
        self._longest = config.max_interval / 1000
        self.took = 0.0
        self._next = now + self._shortest

    def is_due(self, now: float) -> bool:
        """Return whether a checkpoint is due."""
        return now >= self._next

    def done(self, started: float, ended: float) -> None:
        """Take note of a checkpoint."""
        self.took = ended - started
        wait = min(self._longest, max(self._shortest, self.took / self._share))
        self._next = ended + wait
