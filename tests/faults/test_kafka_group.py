"""Consumer groups: storms of members, and a learner slower than any interval between polls.

The worker joins no group: it takes its partitions by itself, and an epoch in the store says who
may write. So no rebalance can take a partition from it, however slow it is. What it copies to the
group, for lag tools, may be refused; that is said, and costs nothing else.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaConsumer
from kafka.errors import KafkaError

from tests.faults.scene import Scene
from tests.faults.watching import committed, said, wait_until
from tests.kafka.broker import LocalKafka

pytestmark = [
    pytest.mark.promise("broker_lost"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
]
EVENTS = 600


def make_scene(broker: LocalKafka, tmp_path: Path, record, events=EVENTS, **sections) -> Scene:
    return Scene(
        broker.url, f"sqlite:///{tmp_path / 'store.db'}", tmp_path, record, events=events,
        **sections,
    )  # fmt: skip


class Storm:
    """Members of somebody else's that join and leave a group as fast as they can."""

    def __init__(self, broker: LocalKafka, group: str, topic: str) -> None:
        self._settings = {
            "bootstrap_servers": [broker.url.removeprefix("kafka://")],
            "group_id": group, "enable_auto_commit": False, "auto_offset_reset": "earliest",
        }  # fmt: skip
        self._topic = topic
        self._over = threading.Event()
        self.joined = 0

    def blow(self) -> None:
        """Join, poll once, leave, and again."""
        while not self._over.is_set():
            consumer = KafkaConsumer(self._topic, **self._settings)
            try:
                consumer.poll(300)
                self.joined += bool(consumer.assignment())
            except KafkaError:
                pass  # members that fail are part of the storm
            finally:
                consumer.close(autocommit=False, timeout_ms=1_000)

    def end(self) -> None:
        self._over.set()


@contextmanager
def storm(broker: LocalKafka, group: str, topic: str, members: int = 3) -> Iterator[Storm]:
    blowing = Storm(broker, group, topic)
    threads = [threading.Thread(target=blowing.blow, daemon=True) for _ in range(members)]
    for thread in threads:
        thread.start()
    try:
        yield blowing
    finally:
        blowing.end()
        for thread in threads:
            thread.join(60)


def test_a_storm_of_rebalances_in_its_group_costs_the_worker_nothing(
    kafka_broker, tmp_path, record
):
    scene, told = make_scene(kafka_broker, tmp_path, record), tmp_path / "told"
    group = f"riverrun-{scene.name}"
    with storm(kafka_broker, group, scene.config.events_topic) as blowing:
        wait_until(lambda: blowing.joined >= 3, "members")
        process = scene.start(slow=0.2, told=str(told))
        wait_until(lambda: said(told, "offsets_not_copied"), "a refused copy of offsets")
        code, errors = scene.end(process)
        record.fault(blowing.joined)
    assert code == 0, errors
    (first, *_) = said(told, "offsets_not_copied")
    assert group in first["message"]
    scene.assert_same_as_uninterrupted()


@pytest.mark.promise("fenced")
def test_a_storm_of_workers_leaves_one(kafka_broker, tmp_path, record):
    scene = make_scene(kafka_broker, tmp_path, record)
    older = []
    for number in range(6):
        # Slow enough that none is done before the next one comes, however busy the machine is.
        older.append(scene.start(slow=3.0 if number < 5 else 0.0))
        wait_until(lambda number=number: epoch(scene) > number, "a claim")
        record.fault()
    *fenced, last = older
    for process in fenced:
        code, errors = scene.end(process)
        assert code == 4, errors
    assert "another worker took over" in errors
    code, errors = scene.end(last)
    assert code == 0, errors
    scene.assert_same_as_uninterrupted()


def epoch(scene: Scene) -> int:
    """Return how many workers have claimed the stream."""
    import sqlite3

    path = scene.store_url.removeprefix("sqlite:///")
    if not Path(path).exists():
        return 0
    connection = sqlite3.connect(path)
    try:
        rows = connection.execute("select epoch from shards").fetchall()
    except sqlite3.OperationalError:
        return 0
    finally:
        connection.close()
    return max((row[0] for row in rows), default=0)


def test_a_learner_slower_than_any_interval_keeps_its_partitions(kafka_broker, tmp_path, record):
    scene, told = make_scene(kafka_broker, tmp_path, record, events=100), tmp_path / "told"
    process = scene.start(slow=2.0, told=str(told))
    wait_until(lambda: committed(scene, 2), "a commit")
    record.fault()
    admin = KafkaAdminClient(bootstrap_servers=[kafka_broker.url.removeprefix("kafka://")])
    try:
        described = admin.describe_groups([f"riverrun-{scene.name}"])
        assert "'members': []" in str(described) or '"members": []' in str(described), described
    finally:
        admin.close()
    code, errors = scene.end(process)
    assert code == 0, errors
    scene.assert_same_as_uninterrupted()
