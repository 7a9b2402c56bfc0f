"""A cluster that says nothing: whether it is still there, and for how long that is borne."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog
from kafka import errors as kafka_errors

from stream.logs.kafka_connection import KafkaAddress

_log = structlog.get_logger("riverrun.log")

_SILENCE_SECONDS = 5.0
"""After so long without a record the broker is asked whether it is still there."""


class Silence:
    """Tells a topic without records from a cluster that does not answer.

    Parameters
    ----------
    address
        The cluster, with its patience.
    ask
        Puts a question to it, and raises where no answer comes.
    """

    def __init__(self, address: KafkaAddress, ask: Callable[[], object]) -> None:
        self._address = address
        self._ask = ask
        self._heard = self._asked = time.monotonic()
        self._told = False

    def heard(self) -> None:
        """Note that the cluster has answered."""
        self._heard = time.monotonic()
        if self._told:
            self._told = False
            tell_answer(self._address)

    def check(self) -> None:
        """Ask after a while, and say once that no answer came.

        Raises
        ------
        LogUnreachableError
            When patience is over; with what a new connection says, where that knows more.
        """
        now = time.monotonic()
        if now - max(self._heard, self._asked) < _SILENCE_SECONDS:
            return
        self._asked = now
        try:
            self._ask()
        except (kafka_errors.KafkaError, OSError) as error:
            self._bear(error)
        else:
            self.heard()

    def _bear(self, error: Exception) -> None:
        translated = self._address.translate(error, "reading")
        waited = time.monotonic() - self._heard
        if waited > self._address.patience_seconds:
            self._address.reach()
            raise translated from error
        if not self._told:
            self._told = True
            tell_silence(self._address, waited, str(translated))


def tell_silence(address: KafkaAddress, waited: float, message: str) -> None:
    """Say that a cluster does not answer, and how long it will be borne."""
    left = max(0.0, address.patience_seconds - waited)
    _log.warning("log_silent", url=address.url, gives_up_in_seconds=round(left), message=message)


def tell_answer(address: KafkaAddress) -> None:
    """Say that it answers again."""
    _log.info("log_answers", url=address.url)
