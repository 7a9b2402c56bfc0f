"""The state machine, against a model of what must hold."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from monitor.config import TriggerConfig
from monitor.errors import StateError
from monitor.machine import Machine
from monitor.signals import Event, Signals
from monitor.trigger import DAY, TABLE, Action, State, TriggerState, diagram, on_pane, step

CONFIG = TriggerConfig()
levels = st.sampled_from([0.0, 0.3, 0.6, 0.8, 1.0, 2.0])


class Worker(RuleBasedStateMachine):
    """A worker that feeds panes and trains as it likes."""

    def __init__(self) -> None:
        super().__init__()
        self.machine = Machine(CONFIG)
        self.now = 0.0
        self.training = False
        self.paused = False
        self.asked: list[float] = []
        self.calm = 0
        self.panes_cooling = 0

    @rule(
        skew=levels,
        prediction=levels,
        concept=levels,
        errors=st.sampled_from([0, 0.04, 0.06, 1]),
        seconds=st.sampled_from([1.0, 3600.0, 30_000.0]),
    )
    def pane(
        self, skew: float, prediction: float, concept: float, errors: float, seconds: float
    ) -> None:
        self.now += seconds
        before = self.machine.state
        signals = Signals(errors, value_skew=skew, prediction_skew=prediction, concept=concept)
        actions = self.machine.pane(signals, self.now)
        after = self.machine.state
        self.calm = self.calm + 1 if max(skew, prediction) < 0.7 and concept < 0.35 else 0
        self.panes_cooling = max(0, self.panes_cooling - 1)
        if Action.RETRAIN in actions:
            self.asked.append(self.now)
            assert concept >= 0.5 or before is State.DRIFT
        if errors > 0.05:
            assert after is State.HALTED
            assert (Action.PAUSE in actions) == (before is not State.HALTED)
            assert Action.RETRAIN not in actions
        if before is State.HALTED and errors <= 0.035:
            assert Action.RESUME in actions
            assert after is not State.HALTED
        if before in (State.WARNING, State.DRIFT) and after is State.OK:
            assert self.calm >= CONFIG.calm_panes
        if before is State.COOLDOWN and after is State.OK:
            assert self.panes_cooling == 0
        self.paused = (self.paused or Action.PAUSE in actions) and Action.RESUME not in actions

    @precondition(lambda self: not self.training)
    @rule()
    def start(self) -> None:
        self.machine.started(self.now)
        self.training = True

    @precondition(lambda self: self.training)
    @rule(took=st.sampled_from([0.0, 7200.0]))
    def end(self, took: float) -> None:
        self.machine.ended(self.now, training_seconds=took)
        self.training = False
        self.panes_cooling = CONFIG.cooldown_panes

    @precondition(lambda self: self.training)
    @rule()
    def a_second_training_is_refused(self) -> None:
        with pytest.raises(StateError):
            self.machine.started(self.now)

    @rule()
    def correct(self) -> None:
        was = self.machine.state
        actions = self.machine.corrected(self.now)
        assert (Action.RESUME in actions) == (was is State.HALTED)
        self.paused = False

    @invariant()
    def learning_is_paused_exactly_while_halted(self) -> None:
        assert self.paused == (self.machine.state is State.HALTED)

    @invariant()
    def a_training_shows_in_the_state(self) -> None:
        memory = self.machine.memory
        state = memory.before if memory.state is State.HALTED else memory.state
        assert (state is State.RETRAINING) == self.training

    @invariant()
    def the_daily_limit_holds(self) -> None:
        recent = [at for at in self.asked if at > self.now - DAY]
        assert len(recent) <= CONFIG.max_per_day
        assert len(self.machine.memory.retrains) <= CONFIG.max_per_day


TestWorker = Worker.TestCase
TestWorker.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def run(*panes: Signals) -> list[tuple[State, tuple[Action, ...]]]:
    machine = Machine(CONFIG)
    result = []
    for at, signals in enumerate(panes):
        actions = machine.pane(signals, float(at))
        result.append((machine.state, actions))
    return result


@pytest.mark.parametrize(
    ("signals", "state", "actions"),
    [
        (Signals(), State.OK, ()),
        (Signals(error_fraction=0.1), State.HALTED, (Action.PAUSE, Action.ALERT)),
        (Signals(value_skew=1.1), State.WARNING, (Action.ALERT, Action.CHALLENGE)),
        (Signals(value_skew=1.1, concept=0.5), State.DRIFT, (Action.ALERT, Action.RETRAIN)),
        (Signals(concept=1.0), State.DRIFT, (Action.ALERT, Action.RETRAIN)),
        (Signals(prediction_skew=1.1), State.WARNING, (Action.ALERT, Action.LABELS)),
        (
            Signals(error_fraction=0.1, value_skew=2, concept=2),
            State.HALTED,
            (Action.PAUSE, Action.ALERT),
        ),
    ],
)
def test_each_signal_has_its_action(
    signals: Signals, state: State, actions: tuple[Action, ...]
) -> None:
    assert run(signals) == [(state, actions)]


def test_a_state_is_left_only_after_three_calm_panes() -> None:
    low, middle = Signals(value_skew=0.6), Signals(value_skew=0.8)
    states = [state for state, _ in run(Signals(value_skew=1.2), low, low, middle, low, low, low)]
    assert states == [State.WARNING] * 6 + [State.OK]


def test_an_action_is_asked_for_once_while_nothing_changes() -> None:
    wanted = [actions for _, actions in run(*[Signals(concept=1.0)] * 5)]
    assert wanted == [(Action.ALERT, Action.RETRAIN), (), (), (), ()]


def test_beyond_the_daily_limit_the_want_is_told_and_kept() -> None:
    state = TriggerState(retrains=(0.0, 1.0, 2.0, 3.0))
    state, actions = on_pane(state, Signals(concept=1.0), 10.0, CONFIG)
    assert actions == (Action.ALERT, Action.LIMITED)
    state, actions = on_pane(state, Signals(concept=1.0), 20.0, CONFIG)
    assert actions == ()
    _, actions = on_pane(state, Signals(concept=1.0), DAY + 2.5, CONFIG)
    assert actions == (Action.RETRAIN,)


def test_the_cooldown_lasts_as_long_as_labels_take() -> None:
    machine = Machine(CONFIG)
    machine.started(0.0)
    machine.ended(100.0, training_seconds=60.0, label_delay_seconds=1000.0)
    for at in (200.0, 300.0, 400.0, 500.0, 1099.0):
        machine.pane(Signals(concept=1.0), at)
        assert machine.state is State.COOLDOWN
    machine.pane(Signals(), 1100.0)
    assert machine.state is State.OK


def test_news_that_no_state_allows_are_refused() -> None:
    with pytest.raises(StateError, match="ended is not possible in state OK"):
        step(TriggerState(), Event.ENDED, 0.0, CONFIG)


def test_every_state_can_be_left_and_is_drawn() -> None:
    drawn = diagram()
    for state in State:
        assert any(key[0] is state for key in TABLE)
        assert f"{state} -->" in drawn
