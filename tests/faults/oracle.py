"""The oracle of every fault: an offline replay of the same log, and the comparison with it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from serve.api.recent.kept import KeptPredictions
from stream.build import line_factory
from stream.config import Config
from stream.digest import state_digest
from stream.line import Line
from stream.log import Log
from stream.logs.open_log import open_log
from stream.records import Record as LogRecord
from stream.records import TopicPartition
from stream.sharding.adopters import adopters_of
from stream.sharding.adoption import Script
from stream.snapshot import restore
from stream.status import status_of
from stream.step import prediction_record
from stream.storage.store import Store
from tests.faults.promises import Record


class Replay:
    """What a line makes of records in one go, without worker, store or fault.

    Parameters
    ----------
    config
        The stream's configuration.
    records
        Events and labels, in the order of reading; see ``read_source``.
    version
        That the model is called by.
    script
        Of what a shard adopted, where it adopted anything.
    """

    def __init__(
        self,
        config: Config,
        records: Sequence[LogRecord],
        version: str = "v1",
        script: Script | None = None,
    ) -> None:
        self.config = config
        self.line = line_factory(config)(version)
        self.predicted: dict[tuple[str, int, int], Any] = {}
        self.dead: set[tuple[str, int, int]] = set()
        for part in [records] if script is None else script.turns(self.line, list(records)):
            self._handle(part)
        assert not script, "not all was adopted again"

    def go_on_behind(self, gap: TopicPartition, offset: int, records: Sequence[LogRecord]) -> None:
        """Handle what stands behind a gap that a worker may pass: it goes on at an offset."""
        self.line.offsets[gap] = offset
        self._handle(records)

    def _handle(self, records: Sequence[LogRecord]) -> None:
        step = self.line.handle(records, 0)
        assert step.halt is None, step.halt
        self.predicted |= {place(row.record): row for row in step.predictions}
        self.dead |= {place(letter.record) for letter in step.dead_letters}

    @property
    def panes(self) -> list[Any]:
        """All that closed, those too which closed where a shard adopted its reference."""
        return [] if self.line.watch is None else list(self.line.watch.rows)

    @property
    def learned(self) -> Counter[Any]:
        """How often each event was learned, by the model's own ledger."""
        return learned_by(self.line)

    def assert_same(self, store: Store, log: Log, record: Record) -> None:
        """Compare ledger, counts, digest, panes, predictions and dead letters.

        Parameters
        ----------
        store, log
            Of the stream after the faults.
        record
            Where the comparison of each event is written down.
        """
        self.assert_same_state(store, record)
        self._assert_kept(store)
        self._assert_published(log)

    def assert_same_state(self, store: Store, record: Record) -> None:
        """Compare ledger, counts, digest and panes."""
        newest = store.newest()
        assert newest is not None, "nothing was committed"
        found = line_factory(self.config)(newest.version)
        restore(found, *store.load(newest))
        record.compared(self.learned, learned_by(found))
        record.assert_nothing_lost()
        wanted = status_of(self.line, None)
        assert newest.status["counts"] == wanted["counts"]
        assert newest.status["labels"] == wanted["labels"]
        assert newest.status["state_digest"] == state_digest(self.line)
        assert [stored.row for stored in reversed(store.history.panes())] == self.panes

    def _assert_kept(self, store: Store) -> None:
        """Compare what is kept for people to look at: each prediction once, with its label."""
        kept = KeptPredictions(store, self.config).view()
        wanted = [(row.id, row.served.prediction) for row in self.predicted.values()]
        first = max(0, len(wanted) - self.config.predictions.keep)
        assert list(kept.known) == list(range(first + 1, len(wanted) + 1))
        wanted = wanted[first:]
        known = kept.known.values()
        assert [(one.said.id, one.said.prediction) for one in known] == wanted
        settled = self.line.settled
        labels = [settled.label(key) if key in settled else None for key, _ in wanted]
        assert [one.label for one in known] == labels
        assert sum(one.is_settled for one in known) == sum(key in settled for key, _ in wanted)

    def _assert_published(self, log: Log) -> None:
        """Compare both topics: each prediction and dead letter is there, a repeat says the same."""
        topic, task = self.config.predictions_topic, self.config.model.task
        wanted = {at: said_of(prediction_record(row, topic, task)) for at, row in
                  self.predicted.items()}  # fmt: skip
        seen: dict[tuple[str, int, int], Any] = {}
        for record in read_all(log, topic):
            at, said = source_of(record, "riverrun-source-"), said_of(record)
            assert seen.setdefault(at, said) == said, "a repeat says something else"
        assert seen == wanted
        letters = read_all(log, self.config.dead_letters_topic)
        assert {source_of(record, "__connect.errors.") for record in letters} == self.dead


def script_of(config: Config, store: Store, shard: str) -> Script:
    """Return what a shard adopted, and where, as its store has it; all of it must be there."""

    def missing(row: object) -> None:
        raise AssertionError(f"{row} cannot be adopted again")

    rows = store.adoptions.all()
    return Script(rows, store.shared.get, adopters_of(config, shard), missing)


def learned_by(line: Line) -> Counter[Any]:
    """Return how often a line's model learned from each event; see ``Ledger``."""
    return Counter(getattr(line.learner.model, "learned", {}))


def place(record: LogRecord) -> tuple[str, int, int]:
    """Return where a record stands."""
    return record.topic, record.partition, record.offset


def source_of(record: LogRecord, prefix: str) -> tuple[str, int, int]:
    """Return the place that a record's headers name."""
    found = dict(record.headers)
    names = (found[f"{prefix}{name}"] for name in ("topic", "partition", "offset"))
    topic, partition, offset = names
    return topic.decode(), int(partition), int(offset)


def said_of(record: Any) -> dict[str, Any]:
    """Return a record of the predictions topic without its latency, which is the clock's."""
    said: dict[str, Any] = msgspec.json.decode(record.value)
    del said["latency_ms"]
    return said


def read_source(broker: str, config: Config) -> list[LogRecord]:
    """Return every event and label, in the order in which a worker reads them."""
    log = open_log(broker)
    try:
        return read_all(log, config.events_topic, config.labels_topic)
    finally:
        log.close()


def read_all(log: Log, *topics: str, partition: int | None = None) -> list[LogRecord]:
    """Return every record of topics, or of one partition of each, in the order of reading."""
    source, found = log.source(list(topics), partition=partition), []
    source.seek({})
    deadline = time.monotonic() + 120
    while (records := source.poll(2_000, 0.5)) or any(source.lag().values()):
        found += records
        assert time.monotonic() < deadline, f"no end of {topics} was found"
    source.close()
    return found
