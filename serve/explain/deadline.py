"""A limit on time that long work asks for."""

from __future__ import annotations

import time

from serve.explain.explanation import CannotExplainError


class Deadline:
    """When to stop.

    Parameters
    ----------
    seconds
        From now.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._started = time.perf_counter()

    @property
    def is_over(self) -> bool:
        """Whether to stop."""
        return self.spent >= self.seconds

    @property
    def spent(self) -> float:
        """Seconds since it was set."""
        return time.perf_counter() - self._started

    def check(self) -> None:
        """Stop where it is time.

        Raises
        ------
        CannotExplainError
        """
        if self.is_over:
            raise CannotExplainError(f"it took longer than {self.seconds * 1000:.0f} ms")
