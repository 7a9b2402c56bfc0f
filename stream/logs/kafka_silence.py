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


class Telling:
    """Says once that a cluster does not answer, and once when it does again.

    Parameters
    ----------
    address
        The cluster.
    """

    def __init__(self, address: KafkaAddress) -> None:
        self._address = address
        self.is_told = False

    def silent(self, waited: float, message: str) -> None:
        """Say that it does not, after so many seconds, and how long that will be borne."""
        if not self.is_told:
            self.is_told = True
            left = round(max(0.0, self._address.patience_seconds - waited))
            url = self._address.url
            _log.warning("log_silent", url=url, gives_up_in_seconds=left, message=message)

    def heard(self) -> None:
        """Note that it has answered."""
        if self.is_told:
            self.is_told = False
            _log.info("log_answers", url=self._address.url)


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
        self._silent_since: float | None = None
        self._telling = Telling(address)

    def heard(self) -> None:
        """Note that the cluster has answered."""
        self._heard = time.monotonic()
        self._silent_since = None
        self._telling.heard()

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
            self.bear(error, now)
        else:
            self.heard()

    def bear(self, error: Exception, asked: float) -> None:
        """Note that a question, put at a moment, was not answered.

        Raises
        ------
        LogUnreachableError
            As ``check`` does.
        """
        translated = self._address.translate(error, "reading")
        if self._silent_since is None:
            self._silent_since = asked
        waited = time.monotonic() - self._silent_since
        if waited > self._address.patience_seconds:
            self._address.reach()
            raise translated from error
        self._telling.silent(waited, str(translated))
