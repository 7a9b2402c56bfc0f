"""The errors that the monitor raises. Bad data is never among them: it comes back as anomalies."""

from __future__ import annotations

from collections.abc import Iterable


class MonitorError(Exception):
    """Base of every error raised by this package."""


class ConfigError(MonitorError, ValueError):
    """The configuration is wrong; raised while it is built, with all mistakes at once.

    Parameters
    ----------
    mistakes
        One sentence a mistake: the key, what was found, what is allowed.

    Examples
    --------
    >>> ConfigError(["bins = 1: expected 2 to 256"]).mistakes
    ('bins = 1: expected 2 to 256',)
    """

    def __init__(self, mistakes: Iterable[str]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("; ".join(self.mistakes))


class SchemaError(MonitorError, ValueError):
    """A schema, or its text, cannot be used; raised by the schema's constructors and parser.

    Parameters
    ----------
    where
        The feature or the key of the text that is wrong.
    problem
        What was found, what is expected, what to do.
    """

    def __init__(self, where: str, problem: str) -> None:
        self.where = where
        self.problem = problem
        super().__init__(f"{where}: {problem}")


class LayoutMismatchError(MonitorError, ValueError):
    """Counts made with different bins were added or compared; raised by panes and references.

    Parameters
    ----------
    expected, found
        Fingerprints of the two layouts.
    """

    def __init__(self, expected: str, found: str) -> None:
        self.expected = expected
        self.found = found
        super().__init__(
            f"counts of layout {found} cannot be combined with layout {expected}: "
            "count the events again with one layout, or use the reference they were made for"
        )


class StateError(MonitorError, RuntimeError):
    """A call came in a state that does not allow it; raised by the trigger and the facade.

    Parameters
    ----------
    state, event
        Where the object was, and what was asked of it.
    hint
        What to do about it.
    """

    def __init__(self, state: str, event: str, hint: str = "") -> None:
        self.state = state
        self.event = event
        super().__init__(
            f"{event} is not possible in state {state}" + (f": {hint}" if hint else "")
        )


class DamagedError(MonitorError, ValueError):
    """Stored bytes or a stored snapshot cannot be read; raised by every reader of stored data.

    Parameters
    ----------
    what
        The kind of data: pane, layout, reference, snapshot.
    problem
        Why it cannot be read.
    """

    def __init__(self, what: str, problem: str) -> None:
        self.what = what
        self.problem = problem
        super().__init__(f"stored {what} cannot be read: {problem}")
