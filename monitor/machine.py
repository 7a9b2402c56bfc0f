"""The trigger with its state: one object that a monitor and its worker share."""

from __future__ import annotations

from monitor.config import TriggerConfig
from monitor.signals import Event, Signals
from monitor.trigger import Action, State, TriggerState, on_pane, on_retrained, step


class Machine:
    """Holds the trigger's state and steps it.

    Parameters
    ----------
    config
        Thresholds, cooldown, daily limit.
    memory
        The state to go on from.

    Examples
    --------
    >>> machine = Machine()
    >>> [action.value for action in machine.pane(Signals(concept=1.0), now=0.0)]
    ['alert', 'retrain']
    >>> machine.started(now=10.0)
    >>> machine.ended(now=70.0, training_seconds=60.0)
    >>> machine.state.value
    'COOLDOWN'
    """

    def __init__(
        self, config: TriggerConfig | None = None, memory: TriggerState | None = None
    ) -> None:
        self.config = config or TriggerConfig()
        self.memory = memory or TriggerState()

    @property
    def state(self) -> State:
        """Where the stream is."""
        return self.memory.state

    def pane(self, signals: Signals, now: float) -> tuple[Action, ...]:
        """Take in a closed pane.

        Parameters
        ----------
        signals
            What the pane says.
        now
            Seconds since the epoch.

        Returns
        -------
        tuple of Action
            What is wanted.
        """
        self.memory, actions = on_pane(self.memory, signals, now, self.config)
        return actions

    def started(self, now: float) -> None:
        """Take in that a training began, asked for or not.

        Parameters
        ----------
        now
            Seconds since the epoch.

        Raises
        ------
        StateError
            One is under way.
        """
        self.memory, _ = step(self.memory, Event.STARTED, now, self.config)

    def ended(
        self, now: float, *, training_seconds: float = 0.0, label_delay_seconds: float = 0.0
    ) -> None:
        """Take in that a training ended, in whatever way; the cooldown begins.

        Parameters
        ----------
        now
            Seconds since the epoch.
        training_seconds, label_delay_seconds
            How long it took, and labels usually take.

        Raises
        ------
        StateError
            None was under way.
        """
        self.memory, _ = on_retrained(
            self.memory,
            now,
            self.config,
            training_seconds=training_seconds,
            label_delay_seconds=label_delay_seconds,
        )

    def corrected(self, now: float) -> tuple[Action, ...]:
        """Take in that the schema was corrected; a halt ends.

        Parameters
        ----------
        now
            Seconds since the epoch.

        Returns
        -------
        tuple of Action
            To resume, after a halt.
        """
        self.memory, actions = step(self.memory, Event.CORRECTED, now, self.config)
        return actions
