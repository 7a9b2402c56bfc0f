"""One divided stream, and the workers that share it and suffer."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

from stream.logs.open_log import open_log
from stream.records import NewRecord
from stream.sharding.names import shard_name, shard_names
from stream.sharding.read import is_read
from stream.storage.store import Store
from tests.faults import shard_victim
from tests.faults.oracle import Replay, read_all, source_of
from tests.faults.promises import Record
from tests.faults.scene import PROCESSES, Scene
from tests.faults.watching import wait_until
from tests.lines import as_bytes, event, truth

SHARDS = 4


class ShardScene(Scene):
    """A scene whose stream has a shard for each of ``SHARDS`` partitions."""

    def __init__(self, broker: str, store_url: str, folder: Path, record: Record) -> None:
        self.folder = folder
        self.produced = 0
        super().__init__(
            broker, store_url, folder, record, events=0,
            stream={"shards": "partition"},
            topics={"partitions": SHARDS},
            worker={"session_timeout": "6s"},
        )  # fmt: skip

    def produce_events(self, count: int) -> None:
        """Append events and their labels, both keyed by id, with some faults among them."""
        events, labels = self.config.events_topic, self.config.labels_topic
        rows: list[NewRecord] = []
        for number in range(self.produced, self.produced + count):
            key = f"e{number}".encode()
            inside = truth(number) if number % 3 == 0 else None
            rows.append(NewRecord(events, key, as_bytes(event(number, inside))))
            if number % 3 == 1:
                said = {"id": f"e{number}", "y": truth(number)}
                rows.append(NewRecord(labels, key, as_bytes(said)))
            if number % 50 == 7:
                rows.append(NewRecord(events, key, b'{"broken'))
            if number % 40 == 9:
                rows.append(NewRecord(events, key, as_bytes(event(number))))
        self.produced += count
        self.produce(rows)

    def start(self, **arguments: Any) -> Any:
        """Start a worker in a process of its own; see ``shard_victim.main`` for its arguments."""
        told = {"told": str(self.folder / "told")} | arguments
        process = PROCESSES.Process(
            target=shard_victim.main, args=(told, self.sections, str(self.errors))
        )
        process.start()
        return process

    def signal(self, process: Any, number: signal.Signals) -> None:
        """Send a worker a signal, and write a fault down."""
        os.kill(process.pid, number)
        self.record.fault()

    def owners(self) -> Counter[int]:
        """Return how many shards each worker has claimed last, by its process."""
        with_store = self.store()
        try:
            return Counter(
                int(shard.owner.rpartition(":")[2]) for shard in with_store.sharding.all()
            )
        finally:
            with_store.close()

    def wait_for_owners(self, *processes: Any) -> None:
        """Wait until these workers, and no others, have an even part of the shards."""
        low, more = divmod(SHARDS, len(processes))
        wanted = sorted([low + 1] * more + [low] * (len(processes) - more))
        pids = {process.pid for process in processes}

        def shared() -> bool:
            found = self.owners()
            return set(found) == pids and sorted(found.values()) == wanted

        wait_until(shared, f"an even part for {len(processes)} workers")

    def wait_until_read(self) -> None:
        """Wait until the newest checkpoints reach the ends of all partitions."""
        store, log = self.store(), open_log(self.broker)
        topics = [self.config.events_topic, self.config.labels_topic]
        try:
            wait_until(lambda: is_read(log, topics, store.sharding), "the log's end", 240)
        finally:
            log.close()
            store.close()

    def assert_each_shard_same_as_uninterrupted(self) -> None:
        """Compare every shard with an offline replay of its partition, and what was published."""
        log = open_log(self.broker)
        predicted: set[tuple[str, int, int]] = set()
        topics = self.config.events_topic, self.config.labels_topic
        try:
            for number in range(SHARDS):
                records = read_all(log, *topics, partition=number)
                replay = Replay(self.config, records)
                assert replay.line.counts.learned > 0
                store = Store(self.store_url, self.name, shard=shard_name(number, SHARDS))
                replay.assert_same_state(store, self.record)
                store.close()
                predicted |= set(replay.predicted)
            said = read_all(log, self.config.predictions_topic)
        finally:
            log.close()
        assert {source_of(record, "riverrun-source-") for record in said} == predicted
        store = self.store()
        assert store.sharding.names() == shard_names(SHARDS)
        store.close()
