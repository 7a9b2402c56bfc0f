"""One stream on one log that faults are injected into, in processes of its own."""

from __future__ import annotations

import multiprocessing
import os
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stream.build import line_factory
from stream.logs.open_log import open_log
from stream.records import NewRecord
from stream.snapshot import restore
from stream.storage.store import Store
from tests.faults import victim
from tests.faults.oracle import Replay, learned_by, read_all, read_source, source_of
from tests.faults.promises import Record
from tests.lines import SMALL_MONITOR, interleaved, make_config

EVENTS = 2_500

# A server that has imported everything forks the workers: River alone takes a second to import.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    ["tests.faults.victim", "tests.faults.replay_victim", "tests.faults.bad_models"]
)

SECTIONS: dict[str, dict[str, Any]] = {
    "model": {"pipeline": None, "factory": "tests.faults.ledger:build"},
    "checkpoint": {"share": 1.0, "min_interval": "1ms"},
    "labels": {"max_delay": "20s"},
    "monitor": SMALL_MONITOR,
    "retrain": {"enabled": False},
}
"""What a scene's stream is configured with: a model that keeps a ledger, and a commit a turn."""


ONE_RUN: dict[str, Any] = {
    "enabled": True,
    "labels": 400,
    "drift": False,
    "skew": False,
    "performance": False,
    "max_per_day": 1,
    "min_events": 50,
    "min_labels": 60,
    "max_labels": 800,
    "probation": 200,
}
"""A ``[retrain]`` by which a stream's labels begin one retraining run."""


class Scene:
    """One stream on one log and in one store, and the workers that suffer on it.

    Parameters
    ----------
    broker, store_url
        URLs of the event log and of the store.
    folder
        For what the workers say.
    record
        The test's own, for what is compared.
    events
        How many ``tests.lines.interleaved`` events, with their labels and faults, are produced;
        0 for a stream that a test produces itself.
    sections
        Of the configuration, over ``SECTIONS``.
    """

    def __init__(
        self,
        broker: str,
        store_url: str,
        folder: Path,
        record: Record,
        *,
        events: int = EVENTS,
        **sections: dict[str, Any],
    ) -> None:
        self.broker, self.store_url, self.record = broker, store_url, record
        self.name = f"faults-{os.getpid()}-{random.randrange(10**9)}"
        self.errors = folder / "errors"
        merged = {name: table | sections.pop(name, {}) for name, table in SECTIONS.items()}
        stream = {"name": self.name, "broker": broker, "store": store_url}
        stream |= sections.pop("stream", {})
        self.sections: dict[str, Any] = merged | sections | {"stream": stream}
        self.config = make_config(**self.sections)
        log = open_log(broker)
        log.create_topics(dict.fromkeys(self.config.topic_names, self.config.topics.partitions))
        log.close()
        topics = self.config.events_topic, self.config.labels_topic
        if events:
            self.produce(interleaved(events, topics=topics))

    def change_model(self, factory: str) -> None:
        """Configure another model, as a person who mends one does."""
        self.sections["model"] = self.sections["model"] | {"factory": factory}
        self.config = make_config(**self.sections)

    def produce(self, records: Sequence[NewRecord]) -> None:
        """Append records, and wait until they are durable."""
        log = open_log(self.broker)
        sink = log.sink()
        sink.append(records)
        sink.flush()
        log.close()

    def start(self, **arguments: Any) -> Any:
        """Start a worker in a process of its own; see ``victim.main`` for its arguments."""
        process = PROCESSES.Process(
            target=victim.main, args=(arguments, self.sections, str(self.errors))
        )
        process.start()
        return process

    def end(self, process: Any, seconds: float = 120) -> tuple[int, str]:
        """Wait for a worker's end; return its exit code and what it said."""
        process.join(seconds)
        assert process.exitcode is not None, "it did not end"
        return process.exitcode, self.errors.read_text() if self.errors.exists() else ""

    def run(self, **arguments: Any) -> tuple[int, str]:
        """Run a worker to the end of the log."""
        return self.end(self.start(**arguments))

    def store(self, secret: bytes | None = None) -> Store:
        """Open the stream's store."""
        return Store(self.store_url, self.name, secret=secret)

    def learned(self, secret: bytes | None = None) -> Counter[Any]:
        """Return how often the stored model learned from each event."""
        store = self.store(secret)
        newest = store.newest()
        assert newest is not None
        line = line_factory(self.config)(newest.version)
        restore(line, *store.load(newest))
        store.close()
        return learned_by(line)

    def replay(self, version: str = "v1") -> Replay:
        """Replay the log as it now is, offline."""
        return Replay(self.config, read_source(self.broker, self.config), version)

    def assert_same_as_uninterrupted(self, secret: bytes | None = None) -> None:
        """Compare all that is left with an offline replay of the log as it now is."""
        store, log = self.store(secret), open_log(self.broker)
        try:
            self.replay().assert_same(store, log, self.record)
        finally:
            log.close()
            store.close()

    def assert_learned_anew(self, version: str) -> None:
        """Compare after a rebuild: the state as ever, and nothing was published twice."""
        replay, store, log = self.replay(version), self.store(), open_log(self.broker)
        try:
            replay.assert_same_state(store, self.record)
            said = read_all(log, self.config.predictions_topic)
            places = Counter(source_of(record, "riverrun-source-") for record in said)
            assert places == dict.fromkeys(replay.predicted, 1)
        finally:
            log.close()
            store.close()
