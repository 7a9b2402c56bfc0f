"""From signals to wanted actions: the state machine, as a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from monitor.config import TriggerConfig
from monitor.errors import StateError
from monitor.signals import Event, Signals, calm, read

DAY = 86_400.0


class State(StrEnum):
    """Where the stream is."""

    OK = "OK"
    WARNING = "WARNING"
    DRIFT = "DRIFT"
    RETRAINING = "RETRAINING"
    COOLDOWN = "COOLDOWN"
    HALTED = "HALTED"


class Action(StrEnum):
    """What the machine wants done; doing it is another's job."""

    ALERT = "alert"
    PAUSE = "pause"
    RESUME = "resume"
    RETRAIN = "retrain"
    CHALLENGE = "challenge"  # train a challenger in the shadow
    LABELS = "labels"  # labels are wanted
    LIMITED = "limited"  # a retraining is wanted, but today's are used up


Step = tuple[State | None, tuple[Action, ...]]
_S, _E, _A = State, Event, Action
TABLE: Mapping[tuple[State, Event], Step] = {
    (_S.OK, _E.DRIFT): (_S.DRIFT, (_A.ALERT, _A.RETRAIN)),
    (_S.OK, _E.WARN): (_S.WARNING, (_A.ALERT, _A.CHALLENGE)),
    (_S.OK, _E.WARN_PREDICTION): (_S.WARNING, (_A.ALERT, _A.LABELS)),
    (_S.OK, _E.STARTED): (_S.RETRAINING, ()),
    (_S.WARNING, _E.DRIFT): (_S.DRIFT, (_A.ALERT, _A.RETRAIN)),
    (_S.WARNING, _E.WARN): (_S.WARNING, (_A.CHALLENGE,)),
    (_S.WARNING, _E.WARN_PREDICTION): (_S.WARNING, (_A.LABELS,)),
    (_S.WARNING, _E.SETTLED): (_S.OK, ()),
    (_S.WARNING, _E.STARTED): (_S.RETRAINING, ()),
    (_S.DRIFT, _E.DRIFT): (_S.DRIFT, (_A.RETRAIN,)),
    (_S.DRIFT, _E.WARN): (_S.DRIFT, (_A.RETRAIN,)),
    (_S.DRIFT, _E.WARN_PREDICTION): (_S.DRIFT, (_A.RETRAIN,)),
    (_S.DRIFT, _E.SETTLED): (_S.OK, ()),
    (_S.DRIFT, _E.STARTED): (_S.RETRAINING, ()),
    (_S.DRIFT, _E.ENDED): (_S.COOLDOWN, ()),
    (_S.RETRAINING, _E.ENDED): (_S.COOLDOWN, ()),
    (_S.COOLDOWN, _E.COOLED): (_S.OK, ()),
    (_S.COOLDOWN, _E.STARTED): (_S.RETRAINING, ()),
    (_S.HALTED, _E.CLEAN): (None, (_A.RESUME,)),
    (_S.HALTED, _E.CORRECTED): (None, (_A.RESUME,)),
    **{
        (state, _E.HALT): (_S.HALTED, (_A.PAUSE, _A.ALERT))
        for state in State
        if state is not State.HALTED
    },
}
"""(state, event) to (next state, wanted actions); None is the state before the halt."""

_READINGS = frozenset(
    {_E.HALT, _E.CLEAN, _E.DRIFT, _E.WARN, _E.WARN_PREDICTION, _E.SETTLED, _E.CORRECTED}
)


@dataclass(frozen=True, slots=True)
class TriggerState:
    """All that the machine remembers.

    Parameters
    ----------
    state
        Where it is.
    before
        While halted, where it was and will go on.
    calm
        Panes in a row with low signals.
    cooldown_panes, cooldown_until
        What of the cooldown is left: panes, and a time in seconds.
    asked
        Actions wanted since the state was entered; each is asked for once.
    retrains
        Times at which retrainings were asked for, within a day.
    """

    state: State = State.OK
    before: State = State.OK
    calm: int = 0
    cooldown_panes: int = 0
    cooldown_until: float = 0.0
    asked: tuple[Action, ...] = ()
    retrains: tuple[float, ...] = ()


Result = tuple[TriggerState, tuple[Action, ...]]


def step(state: TriggerState, event: Event, now: float, config: TriggerConfig) -> Result:
    """Look up one event in the table.

    Parameters
    ----------
    state
        Where the machine is.
    event
        What happened.
    now
        Seconds since the epoch.
    config
        For the daily limit.

    Returns
    -------
    tuple
        Next state and wanted actions, each asked for once while in a state.

    Raises
    ------
    StateError
        News from outside that the state does not allow, such as the end of a training that never
        began. A pane's reading is never illegal: what is not in the table changes nothing.

    Examples
    --------
    >>> after, wanted = step(TriggerState(), Event.DRIFT, 0.0, TriggerConfig())
    >>> after.state.value, [action.value for action in wanted]
    ('DRIFT', ['alert', 'retrain'])
    """
    if state.state is State.HALTED and event not in _READINGS:
        # A training goes on while learning is paused; its news move the state to return to.
        inner, _ = step(replace(state, state=state.before), event, now, config)
        return replace(inner, state=State.HALTED, before=inner.state), ()
    if (state.state, event) not in TABLE:
        if event in _READINGS:
            return state, ()
        raise StateError(state.state, event, "the trainer's news came out of order")
    target, wanted = TABLE[state.state, event]
    target = state.before if target is None else target
    entered = target is not state.state
    asked = () if entered else state.asked
    kept = tuple(at for at in state.retrains if at > now - DAY)
    limited = len(kept) >= config.max_per_day
    actions = tuple(_A.LIMITED if limited and a is _A.RETRAIN else a for a in wanted)
    if _A.RETRAIN in asked:
        actions = tuple(a for a in actions if a is not _A.LIMITED)
    actions = tuple(a for a in actions if a not in asked)
    if _A.RETRAIN in actions:
        kept = (*kept, now)
    return replace(
        state,
        state=target,
        before=state.state if target is State.HALTED else State.OK,
        calm=0 if entered else state.calm,
        asked=asked + actions,
        retrains=kept,
    ), actions


def on_pane(state: TriggerState, signals: Signals, now: float, config: TriggerConfig) -> Result:
    """Take in a closed pane.

    Parameters
    ----------
    state
        Where the machine is.
    signals
        What the pane says.
    now
        Seconds since the epoch.
    config
        Thresholds.

    Returns
    -------
    tuple
        Next state and wanted actions.

    Examples
    --------
    >>> after, wanted = on_pane(TriggerState(), Signals(error_fraction=0.2), 0.0, TriggerConfig())
    >>> after.state.value, [action.value for action in wanted]
    ('HALTED', ['pause', 'alert'])
    """
    state = replace(
        state,
        calm=state.calm + 1 if calm(signals, config) else 0,
        cooldown_panes=max(0, state.cooldown_panes - 1),
    )
    halted = state.state is State.HALTED
    event = read(signals, halted, config)
    if event is None and not halted and state.calm >= config.calm_panes:
        event = Event.SETTLED
    cooled = state.cooldown_panes == 0 and now >= state.cooldown_until
    if state.state is State.COOLDOWN and cooled and event is not Event.HALT:
        event = Event.COOLED
    return (state, ()) if event is None else step(state, event, now, config)


def on_retrained(
    state: TriggerState,
    now: float,
    config: TriggerConfig,
    *,
    training_seconds: float = 0.0,
    label_delay_seconds: float = 0.0,
) -> Result:
    """Take in the end of a training, and start the cooldown.

    Parameters
    ----------
    state
        Where the machine is.
    now
        Seconds since the epoch.
    config
        For the shortest cooldown.
    training_seconds, label_delay_seconds
        How long the training took, and labels usually take; the cooldown is the longest of these
        and of its panes.

    Returns
    -------
    tuple
        Next state and wanted actions.

    Raises
    ------
    StateError
        No training was under way.
    """
    after, actions = step(state, Event.ENDED, now, config)
    until = now + max(training_seconds, label_delay_seconds)
    return replace(after, cooldown_panes=config.cooldown_panes, cooldown_until=until), actions


def diagram() -> str:
    """Draw the table as a Mermaid state diagram, for the documentation.

    Returns
    -------
    str
        The diagram's source.

    Examples
    --------
    >>> print(diagram().splitlines()[1])
        OK --> DRIFT: drift / alert, retrain
    """
    lines = ["stateDiagram-v2"]
    for (state, event), (target, actions) in TABLE.items():
        if target is not state:
            wanted = f" / {', '.join(actions)}" if actions else ""
            lines.append(f"    {state} --> {target or 'before'}: {event}{wanted}")
    return "\n".join(lines) + "\n"
