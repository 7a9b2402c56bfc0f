"""What a monitor returns for a batch of events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from monitor.anomalies import Anomaly
from monitor.arrays import BoolArray
from monitor.panes import Pane
from monitor.report import SkewReport
from monitor.signals import Signals
from monitor.trigger import Action, State


@dataclass(frozen=True, slots=True)
class ClosedPane:
    """A pane that was closed, and what followed from it.

    Parameters
    ----------
    index
        Number of the pane, from 0.
    pane
        Its counts, to be stored.
    anomalies
        What is wrong with the pane as a whole.
    report
        The skew tests over the spans that end with it.
    signals
        Both, reduced to what the trigger reads.
    state, actions
        The trigger's state after it, and what it wants done.
    """

    index: int
    pane: Pane
    anomalies: tuple[Anomaly, ...]
    report: SkewReport | None
    signals: Signals
    state: State
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class Observation:
    """What a monitor says about one batch of events.

    Parameters
    ----------
    errors
        Shape (rows,): events that must not be learned from, and go to the dead letters.
    anomalies
        By row, what is wrong with the event, warnings too; rows without any are left out.
    panes
        Panes that this batch closed, in order.
    fitted
        Whether the warm-up ended with this batch: schema and reference are there from now on.
    """

    errors: BoolArray
    anomalies: Mapping[int, Sequence[Anomaly]]
    panes: tuple[ClosedPane, ...] = ()
    fitted: bool = False
