"""Publishing: predictions to the inference log, dead letters to their topic, before any commit."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TypeVar

import structlog

from stream.config import Config
from stream.errors import NotAcknowledgedError, RecordTooLargeError
from stream.log import Receipt, Sink
from stream.records import Headers, NewRecord, Record, TopicPartition
from stream.step import (
    DeadLetter,
    PredictionRow,
    Step,
    dead_letter_record,
    prediction_record,
    shortened,
)
from stream.trace import trace_id

_log = structlog.get_logger("riverrun.worker")

_KEY_MAX, _MESSAGE_MAX = 512, 500

_HURRIED_SECONDS = 10.0
_SLICE_SECONDS = 1.0

_T = TypeVar("_T")


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
    trace_of
        Returns the headers of a prediction's trace; where none, its event's own are handed on.

    Attributes
    ----------
    should_stop
        Whether the worker was told to: a log that does not answer is not borne for long then.
    """

    def __init__(
        self,
        sink: Sink,
        config: Config,
        silent_until: Mapping[TopicPartition, int],
        trace_of: Callable[[PredictionRow], Headers],
    ) -> None:
        self._sink = sink
        self._config = config
        self._silent_until = silent_until
        self._trace_of = trace_of
        self._told: Counter[str] = Counter()
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
        new = step.predictions
        if self._silent_until:
            new = [row for row in new if self.is_new(row.record)]
        if new:
            topic, task = config.predictions_topic, config.model.task
            trace_of = self._trace_of
            self._append(
                [
                    prediction_record(row, topic, task, trace_of(row) if row.record.headers else ())
                    for row in new
                ]
            )
        for letter in step.dead_letters:
            if self.is_new(letter.record):
                record = dead_letter_record(letter, config.dead_letters_topic)
                try:
                    self._wait(self._append([record]).offsets)
                except RecordTooLargeError:
                    self._wait(self._append([shortened(record)]).offsets)
                self._tell(letter)
        return new

    def flush(self) -> None:
        """Wait until all of it is durable: only then may offsets be committed."""
        self._wait(self._sink.flush)

    def _append(self, records: list[NewRecord]) -> Receipt:
        return self._wait(lambda _: self._sink.append(records))

    def _wait(self, wait: Callable[[float], _T]) -> _T:
        """Wait for the log as long as is configured, and some seconds once told to stop."""
        began = time.monotonic()
        over = began + self._patience
        while True:
            asked = time.monotonic()
            try:
                return wait(min(_SLICE_SECONDS, max(0.0, over - asked)))
            except NotAcknowledgedError:
                now = time.monotonic()
                if self.should_stop():
                    over = min(over, max(began, self._stopped_at(now)) + _HURRIED_SECONDS)
                if now >= over:
                    raise

    def _stopped_at(self, now: float) -> float:
        self._stop_seen = self._stop_seen or now
        return self._stop_seen

    def is_new(self, record: Record) -> bool:
        """Return whether a record is one that a rebuild has not passed before."""
        place = TopicPartition(record.topic, record.partition)
        return record.offset >= self._silent_until.get(place, 0)

    def _tell(self, letter: DeadLetter) -> None:
        """Write a line of log for the first, second, fourth, eighth ... of each kind."""
        record, rejected = letter.record, letter.rejected
        self._told[rejected.kind] += 1
        count = self._told[rejected.kind]
        if count & (count - 1):
            return
        key = None if record.key is None else record.key[:_KEY_MAX].decode("utf-8", "replace")
        known = {"key": key, "trace_id": trace_id(record.headers)}
        _log.warning(
            "dead_letter",
            place=f"{record.topic}-{record.partition}:{record.offset}",
            stage=rejected.stage,
            kind=rejected.kind,
            message=rejected.message[:_MESSAGE_MAX],
            of_this_kind=count,
            **{name: value for name, value in known.items() if value is not None},
        )
