"""A change of concept, as a value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ConceptDrift:
    """A change of concept that was found.

    Parameters
    ----------
    by
        `betting`, or the name of the River detector.
    at_time
        Event time, in seconds, of the loss at which it was found.
    since_time
        Event time of the last loss before the estimated change; a retraining begins after it.
    losses
        Losses from the estimated change to its detection.
    """

    by: str
    at_time: float
    since_time: float
    losses: int
