"""What a receiver of messages is, and how a delivery fails."""

from __future__ import annotations

from typing import Any, Protocol

from stream.errors import RiverrunError
from stream.storage.outbox import Choose


class UndeliveredError(RiverrunError):
    """Raised by a receiver that did not take a message now; it is tried again.

    Parameters
    ----------
    message
        Why, without anything secret.
    wait_seconds
        How long the receiver wants to be left alone.
    """

    exit_code = 3

    def __init__(self, message: str, wait_seconds: float = 0.0) -> None:
        super().__init__(message)
        self.wait_seconds = wait_seconds


class RefusedError(UndeliveredError):
    """Raised by a receiver that will never take this message; the next one may do."""


class Receiver(Protocol):
    """Somebody who is told of what happens."""

    @property
    def name(self) -> str:
        """What the store calls it."""

    @property
    def choose(self) -> Choose:
        """What makes messages of news."""

    def send(self, data: dict[str, Any]) -> None:
        """Deliver one message.

        Raises
        ------
        UndeliveredError, RefusedError
        """

    def repeat(self, state: dict[str, Any]) -> bool:
        """Say once more what holds, given what it remembers; return whether anything was sent.

        Raises
        ------
        UndeliveredError
        """

    def close(self) -> None:
        """Let go of connections. May be called twice."""
