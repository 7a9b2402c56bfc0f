"""Publishing: predictions to the inference log, dead letters to their topic, before any commit."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from stream.config import Config
from stream.errors import NotAcknowledgedError, RecordTooLargeError
from stream.log import Sink
from stream.records import Record, TopicPartition
from stream.step import (
    PredictionRow,
    Step,
    dead_letter_record,
    prediction_record,
    shortened,
)

_HURRIED_SECONDS = 10.0
_SLICE_SECONDS = 1.0


class Publisher:
    """Writes what a step wants published.

    Parameters
    ----------
    sink
        Where to.
    config
        Names the topics.
    silent_until
        Offsets below which everything was published before: a rebuild does not repeat it.

    Attributes
    ----------
    should_stop
        Whether the worker was told to: a log that does not answer is not borne for long then.
    """

    def __init__(
        self, sink: Sink, config: Config, silent_until: Mapping[TopicPartition, int]
    ) -> None:
        self._sink = sink
        self._config = config
        self._silent_until = silent_until
        self._patience = config.kafka.patience / 1000
        self._stop_seen: float | None = None
        self.should_stop: Callable[[], bool] = lambda: False

    def publish(self, step: Step) -> list[PredictionRow]:
        """Hand over predictions, and wait until each dead letter is on the log.

        Returns
        -------
        list
            The predictions that are new.

        Raises
        ------
        LogError
        """
        config = self._config
        new = [row for row in step.predictions if self.is_new(row.record)]
        if new:
            topic, task = config.predictions_topic, config.model.task
            self._sink.append([prediction_record(row, topic, task) for row in new])
        for letter in step.dead_letters:
            if self.is_new(letter.record):
                record = dead_letter_record(letter, config.dead_letters_topic)
                try:
                    self._wait(self._sink.append([record]).offsets)
                except RecordTooLargeError:
                    self._wait(self._sink.append([shortened(record)]).offsets)
        return new

    def flush(self) -> None:
        """Wait until all of it is durable: only then may offsets be committed."""
        self._wait(self._sink.flush)

    def _wait(self, wait: Callable[[float], object]) -> None:
        """Wait for the log as long as is configured, and some seconds once told to stop."""
        began = time.monotonic()
        over = began + self._patience
        while True:
            asked = time.monotonic()
            try:
                wait(min(_SLICE_SECONDS, max(0.0, over - asked)))
            except NotAcknowledgedError:
                now = time.monotonic()
                if self.should_stop():
                    over = min(over, max(began, self._stopped_at(now)) + _HURRIED_SECONDS)
                if now >= over:
                    raise
            else:
                return

    def _stopped_at(self, now: float) -> float:
        self._stop_seen = self._stop_seen or now
        return self._stop_seen

    def is_new(self, record: Record) -> bool:
        """Return whether a record is one that a rebuild has not passed before."""
        place = TopicPartition(record.topic, record.partition)
        return record.offset >= self._silent_until.get(place, 0)
