"""Publishing: predictions to the inference log, dead letters to their topic, before any commit."""

from __future__ import annotations

from collections.abc import Mapping

from stream.config import Config
from stream.errors import RecordTooLargeError
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
    """

    def __init__(
        self, sink: Sink, config: Config, silent_until: Mapping[TopicPartition, int]
    ) -> None:
        self._sink = sink
        self._config = config
        self._silent_until = silent_until
        self._patience = config.kafka.patience / 1000

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
                    self._sink.append([record]).offsets(self._patience)
                except RecordTooLargeError:
                    self._sink.append([shortened(record)]).offsets(self._patience)
        return new

    def flush(self) -> None:
        """Wait until all of it is durable: only then may offsets be committed."""
        self._sink.flush(self._patience)

    def hurry(self) -> None:
        """Bear a log that does not answer for some seconds only: the worker was told to stop."""
        self._patience = min(self._patience, _HURRIED_SECONDS)

    def is_new(self, record: Record) -> bool:
        """Return whether a record is one that a rebuild has not passed before."""
        place = TopicPartition(record.topic, record.partition)
        return record.offset >= self._silent_until.get(place, 0)
