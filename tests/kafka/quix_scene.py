"""A stream on Kafka whose workers Quix Streams runs, and its comparison with an offline replay."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from stream.build import line_factory
from stream.config import Config
from stream.digest import state_digest
from stream.load_config import load_config
from stream.logs.open_log import open_log
from stream.records import Record
from stream.status import status_of
from stream.step import prediction_record
from tests.conftest import real_thing
from tests.faults.oracle import said_of
from tests.kafka.broker import LocalKafka
from tests.lines import event, truth

PARTITIONS = 2

_TEXT = """\
[stream]
name = "{name}"
broker = "{broker}"
shards = "partition"
[event]
id = "id"
time = "t"
label = "y"
[model]
task = "binary"
pipeline = "preprocessing.StandardScaler() | linear_model.LogisticRegression()"
per = "who"
per_min_events = 3
per_in_memory = 20
[topics]
create = true
partitions = {partitions}
[checkpoint]
min_interval = "200ms"
[monitor]
enabled = false
[retrain]
enabled = false
"""


class QuixScene:
    """A stream on Kafka that workers run by Quix."""

    def __init__(self, broker: LocalKafka, folder: Path) -> None:
        if find_spec("quixstreams") is None:
            real_thing(ModuleNotFoundError("quixstreams is not installed: pip install .[quix]"))
        self.folder = folder
        self.name = f"quix-{uuid.uuid4().hex[:8]}"
        self.broker = broker
        self.path = folder / "riverrun.toml"
        text = _TEXT.format(name=self.name, broker=broker.url, partitions=PARTITIONS)
        self.path.write_text(text)
        self.config: Config = load_config(self.path)
        log = open_log(broker.url)
        log.create_topics(dict.fromkeys(self.config.topic_names, PARTITIONS))
        log.close()

    def produce(self, first: int, count: int) -> None:
        """Append events of 60 keys and their labels, keyed by that, at times of their own."""
        from confluent_kafka import Producer

        producer = Producer({"bootstrap.servers": self.broker.url.removeprefix("kafka://")})
        for number in range(first, first + count):
            who = f"k{random.Random(number).randrange(60)}"
            inside = truth(number) if number % 2 else None
            row = event(number, inside, who=who)
            at = 1_700_000_000_000 + 20 * number
            place = {"key": who.encode(), "partition": int(who[1:]) % PARTITIONS}
            producer.produce(
                self.config.events_topic, msgspec.json.encode(row), timestamp=at, **place
            )
            if inside is None:
                label = {"id": row["id"], "y": truth(number)}
                producer.produce(
                    self.config.labels_topic, msgspec.json.encode(label), timestamp=at + 7, **place
                )
        producer.flush(60)

    def start(self, *options: str) -> subprocess.Popen[bytes]:
        """Start a worker; what it says stands in a file."""
        command = [sys.executable, "-m", "serve.cli", "worker", "--config", str(self.path)]
        state = ["--runner", "quix", "--state-dir", str(self.folder / "state")]
        out = (self.folder / "out").open("wb")
        said = (self.folder / "said").open("ab")
        try:
            return subprocess.Popen([*command, *state, *options], stdout=out, stderr=said)
        finally:
            out.close()
            said.close()

    def has_said(self, count: int) -> bool:
        """Return whether so many predictions are committed."""
        return len(self.read(self.config.predictions_topic)) >= count

    def read(self, topic: str, partition: int | None = None) -> list[Record]:
        """Return what a reader of committed records sees."""
        from confluent_kafka import Consumer, TopicPartition

        consumer = Consumer(
            {
                "bootstrap.servers": self.broker.url.removeprefix("kafka://"),
                "group.id": "reader",
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
            }
        )
        places = range(PARTITIONS) if partition is None else [partition]
        consumer.assign([TopicPartition(topic, number, 0) for number in places])
        found, ends, deadline = [], set(), time.monotonic() + 60
        while len(ends) < len(places):
            assert time.monotonic() < deadline, f"no end of {topic}"
            message = consumer.poll(1.0)
            if message is None:
                continue
            if message.error() is not None:
                ends.add(message.partition())
                continue
            headers = tuple(message.headers() or ())
            found.append(
                Record(
                    topic,
                    message.partition(),
                    message.offset(),
                    message.timestamp()[1],
                    message.key(),
                    message.value(),
                    headers,
                )
            )
        consumer.close()
        return found

    def assert_same_as_replay(self, status: dict[str, Any]) -> int:
        """Compare digests, counts and predictions; return how many events were learned."""
        predicted: dict[tuple[int, int], Any] = {}
        learned = 0
        for partition in range(PARTITIONS):
            line = line_factory(self.config)("v1")
            topics = (self.config.events_topic, self.config.labels_topic)
            records = [record for topic in topics for record in self.read(topic, partition)]
            records.sort(key=lambda record: record.timestamp)
            step = line.handle(records, 0)
            found = status["partitions"][str(partition)]
            assert found["counts"] == status_of(line, None)["counts"]
            assert found["state_digest"] == state_digest(line)
            learned += line.counts.learned
            for row in step.predictions:
                made = prediction_record(row, self.config.predictions_topic, "binary")
                predicted[partition, row.record.offset] = said_of(made)
        said = self.read(self.config.predictions_topic)
        places = [
            (int(found["riverrun-source-partition"]), int(found["riverrun-source-offset"]))
            for found in (dict(record.headers) for record in said)
        ]
        assert set(Counter(places).values()) == {1}, "published twice"
        assert dict(zip(places, map(said_of, said), strict=True)) == predicted
        return learned

    def caught_up(self) -> dict[str, Any]:
        """Run a worker to the log's end; return what it says."""
        process = self.start("--until-caught-up", "--json")
        assert process.wait(240) == 0, self.said()
        found: dict[str, Any] = json.loads((self.folder / "out").read_text())
        return found

    def said(self) -> str:
        """Return the end of what workers said."""
        return (self.folder / "said").read_text()[-3_000:]


def eventually(holds: Callable[[], object], seconds: float = 120.0) -> None:
    """Wait until something holds, and fail where it does not in time."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.1)
