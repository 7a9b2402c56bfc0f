"""Signals: what a closed pane says, and how that is read."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from monitor.config import TriggerConfig


class Event(StrEnum):
    """What happens to it: the reading of a closed pane, or news from outside."""

    HALT = "halt"  # too much of a pane is in error
    CLEAN = "clean"  # a pane without errors worth mentioning
    CORRECTED = "corrected"  # somebody changed the schema
    DRIFT = "drift"  # the loss changed, or it is worse and the inputs changed
    WARN = "warn"  # the inputs changed, or the loss looks worse
    WARN_PREDICTION = "warn_prediction"  # only the predictions changed
    SETTLED = "settled"  # all signals low for long enough
    STARTED = "started"  # a training began
    ENDED = "ended"  # it ended, in whatever way
    COOLED = "cooled"  # the cooldown is over


@dataclass(frozen=True, slots=True)
class Signals:
    """What one closed pane says; 1 is the threshold of each.

    Parameters
    ----------
    error_fraction
        Share of the pane's events that are in error, in [0, 1].
    value_skew, prediction_skew, label_skew
        Largest distance over threshold of the columns with that role.
    concept
        Evidence that the loss changed, over the evidence that is needed.
    unlabelled
        Share of the newest events whose labels have not come, in [0, 1]. Where most have, the loss
        says what a shift of the predictions is worth; a model that learns on says other things
        than it did, and is no worse for that.
    """

    error_fraction: float = 0.0
    value_skew: float = 0.0
    prediction_skew: float = 0.0
    label_skew: float = 0.0
    concept: float = 0.0
    unlabelled: float = 1.0

    def prediction_alone(self, config: TriggerConfig) -> float:
        """Give the prediction's skew where it is news: 0 where the loss can tell."""
        return self.prediction_skew if self.unlabelled > config.unlabelled else 0.0


def read(signals: Signals, halted: bool, config: TriggerConfig) -> Event | None:
    """Read a pane's signals as an event; schema skew wins over everything.

    Parameters
    ----------
    signals
        What the pane says.
    halted
        Whether the machine is halted.
    config
        Thresholds.

    Returns
    -------
    Event or None
        None where nothing is to be said. Calm is judged by `calm`.

    Examples
    --------
    >>> read(Signals(value_skew=1.2), False, TriggerConfig()).value
    'warn'
    >>> read(Signals(value_skew=1.2, concept=0.6), False, TriggerConfig()).value
    'drift'
    """
    if signals.error_fraction > config.halt_fraction:
        return None if halted else Event.HALT
    if halted:
        low = signals.error_fraction <= config.hysteresis * config.halt_fraction
        return Event.CLEAN if low else None
    skew = max(signals.value_skew, signals.label_skew)
    worse = signals.concept >= config.loss_worse
    if signals.concept >= 1.0 or (skew >= 1.0 and worse):
        return Event.DRIFT
    if skew >= 1.0 or worse:
        return Event.WARN
    return Event.WARN_PREDICTION if signals.prediction_alone(config) >= 1.0 else None


def calm(signals: Signals, config: TriggerConfig) -> bool:
    """Say whether all signals are below the hysteresis' share of their thresholds.

    Parameters
    ----------
    signals
        What the pane says.
    config
        Thresholds.

    Returns
    -------
    bool
        True when low.

    Examples
    --------
    >>> calm(Signals(value_skew=0.8), TriggerConfig()), calm(Signals(), TriggerConfig())
    (False, True)
    """
    skew = max(signals.value_skew, signals.prediction_alone(config), signals.label_skew)
    return skew < config.hysteresis and signals.concept < config.hysteresis * config.loss_worse
