"""One divided stream, and the workers that share it and suffer."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from monitor.panes import Pane, merge
from stream.logs.open_log import open_log
from stream.records import NewRecord
from stream.sharding.names import shard_name, shard_names
from stream.sharding.read import is_read
from stream.sharding.stream_state import PROGRESS_PART, Progress
from stream.storage.store import Store
from stream.watching.monitor_config import PARTS
from tests.faults import shard_victim
from tests.faults.oracle import Replay, read_all, script_of, source_of
from tests.faults.promises import Record
from tests.faults.scene import PROCESSES, Scene
from tests.faults.watching import wait_until
from tests.lines import as_bytes, event, truth

SHARDS = 4
SECONDS = 300.0
_TOGETHER = 50
"""Events that are appended at once, and then their labels."""


class ShardScene(Scene):
    """A scene whose stream has a shard for each of ``SHARDS`` partitions.

    Parameters
    ----------
    session
        That a worker may be silent.
    model
        Keys of ``[model]``.
    """

    def __init__(
        self,
        broker: str,
        store_url: str,
        folder: Path,
        record: Record,
        session: str = "10s",
        **model: Any,
    ) -> None:
        self.folder = folder
        self.produced = 0
        self._started = 0
        self._freeze: dict[Any, Path] = {}
        super().__init__(
            broker, store_url, folder, record, events=0,
            stream={"shards": "partition"},
            topics={"partitions": SHARDS},
            worker={"session_timeout": session},
            labels={"max_delay": "200s"},
            model=model,
        )  # fmt: skip

    def produce_events(self, count: int) -> None:
        """Append events and their labels, both keyed by id, with some faults among them.

        A reader at the end of Kafka's partitions reads what it finds; a replay reads by time. So
        that both read the same, whatever is appended is durable before anything is appended later,
        in a later millisecond.
        """
        log = open_log(self.broker)
        sink = log.sink()
        for first in range(self.produced, self.produced + count, _TOGETHER):
            numbers = range(first, min(first + _TOGETHER, self.produced + count))
            for rows in (self._events(numbers), self._labels(numbers)):
                sink.append(rows)
                sink.flush()
                time.sleep(0.003)
        self.produced += count
        log.close()

    def _events(self, numbers: range) -> list[NewRecord]:
        topic, rows = self.config.events_topic, []
        for number in numbers:
            key = f"e{number}".encode()
            inside = truth(number) if number % 3 == 0 else None
            rows.append(NewRecord(topic, key, as_bytes(event(number, inside))))
            if number % 50 == 7:
                rows.append(NewRecord(topic, key, b'{"broken'))
            if number % 40 == 9:
                rows.append(NewRecord(topic, key, as_bytes(event(number))))
        return rows

    def _labels(self, numbers: range) -> list[NewRecord]:
        topic = self.config.labels_topic
        return [
            NewRecord(topic, f"e{n}".encode(), as_bytes({"id": f"e{n}", "y": truth(n)}))
            for n in numbers
            if n % 3 == 1
        ]

    def start(self, **arguments: Any) -> Any:
        """Start a worker in a process of its own; see ``shard_victim.main`` for its arguments."""
        self._started += 1
        freeze = self.folder / f"freeze-{self._started}"
        told = {"told": str(self.folder / "told"), "freeze": str(freeze)} | arguments
        process = PROCESSES.Process(
            target=shard_victim.main, args=(told, self.sections, str(self.errors))
        )
        process.start()
        self._freeze[process] = freeze
        return process

    def kill_all(self) -> None:
        """End whatever still runs, frozen or not."""
        for process in self._freeze:
            process.kill()
            process.join()

    def freeze(self, process: Any) -> None:
        """Let a worker stop itself where it holds no lock of the database; wait until it has."""
        self._freeze[process].touch()
        state = Path(f"/proc/{process.pid}/stat")
        wait_until(lambda: state.read_text().rpartition(")")[2].split()[0] == "T", "a freeze")
        self.record.fault()

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
            for process in processes:
                assert process.is_alive(), self.errors.read_text()
            found = self.owners()
            return set(found) == pids and sorted(found.values()) == wanted

        wait_until(shared, f"an even part for {len(processes)} workers", SECONDS)

    def wait_until_read(self) -> None:
        """Wait until the newest checkpoints reach the ends of all partitions."""
        store, log = self.store(), open_log(self.broker)
        topics = [self.config.events_topic, self.config.labels_topic]
        try:
            wait_until(lambda: is_read(log, topics, store.sharding), "the log's end", SECONDS)
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
                shard = shard_name(number, SHARDS)
                store = Store(self.store_url, self.name, shard=shard)
                adopted = script_of(self.config, store, shard)
                replay = Replay(self.config, records, script=adopted)
                assert replay.line.counts.learned > 0
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

    def wait_until_added_up(self) -> None:
        """Wait until fewer panes are left than one of the stream is made of."""
        store = self.store()

        def added_up() -> bool:
            merged = _merged(store)
            closed = [store.of_shard(name).history.after(-1, 10_000) for name in merged]
            return len(merged) == SHARDS and (
                sum(len(rows) for rows in closed) - sum(merged.values()) - SHARDS < PARTS
            )

        try:
            wait_until(added_up, "the stream's last pane", SECONDS)
        finally:
            store.close()

    def assert_the_monitor_adds_up(self) -> None:
        """Hold the stream's panes against those of all shards: each once, to the last count.

        Each shard's are what an uninterrupted worker makes; see the other assertion.
        """
        store = self.store()
        try:
            whole = [stored.row for stored in store.history.panes()][::-1]
            assert [row.index for row in whole] == list(range(len(whole)))
            newest = store.newest()
            assert newest is not None
            monitor = newest.status["monitor"]["merged"]
            assert not any(monitor[name] for name in ("missed", "damaged", "left_out"))
            merged, parts = _merged(store), []
            for name in shard_names(SHARDS):
                rows = store.of_shard(name).history.after(-1, 10_000)
                assert [stored.row.index for stored in rows] == list(range(len(rows)))
                parts += [stored.row for stored in rows if stored.row.index <= merged[name]]
            assert merge(Pane.from_bytes(row.data) for row in whole) == merge(
                Pane.from_bytes(row.data) for row in parts
            )
            references = [one for one in store.happenings(10_000) if one["kind"] == "reference"]
            assert len(references) == 1
            numbers = store.shared.after("decision", 0)
            assert numbers == list(range(1, len(numbers) + 1))
            assert newest.status["coordinator"]["epoch"] > 1, "the coordinator was never lost"
        finally:
            store.close()


def _merged(store: Store) -> dict[str, int]:
    """Return by shard the number of its last pane that is in one of the stream."""
    newest = store.newest()
    if newest is None or (part := store.load_part(newest, PROGRESS_PART)) is None:
        return {}
    return msgspec.msgpack.decode(part, type=Progress).merged
