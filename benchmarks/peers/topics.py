"""The harness's own eyes on the broker: events in, and what came out, by the broker's clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic

ONE_KEY = b"bench"
"""Of every event: Quix and Faust keep state by key, and need no second topic so."""

_POLL_SECONDS = 0.05
_PATIENCE_SECONDS = 120.0


class StalledError(Exception):
    """Nothing more came out of a contestant."""


class Topics:
    """One broker's.

    Parameters
    ----------
    broker
        ``host:port``.
    """

    def __init__(self, broker: str) -> None:
        self.broker = broker
        self._admin = KafkaAdminClient(bootstrap_servers=broker)
        self._consumer = KafkaConsumer(bootstrap_servers=broker, auto_offset_reset="earliest")

    def create(self, *names: str) -> None:
        """Create topics of one partition, whose records carry the broker's time of their append."""
        config = {"message.timestamp.type": "LogAppendTime"}
        self._admin.create_topics([NewTopic(name, 1, 1, topic_configs=config) for name in names])

    def fill(self, name: str, events: Iterable[dict[str, Any]]) -> None:
        """Append events to a topic."""
        producer = KafkaProducer(bootstrap_servers=self.broker, linger_ms=20)
        for event in events:
            producer.send(name, msgspec.json.encode(event), ONE_KEY)
        producer.flush()
        producer.close()

    def end(self, name: str) -> int:
        """Return the offset after the last record."""
        place = TopicPartition(name, 0)
        return int(self._consumer.end_offsets([place])[place])

    def wait(self, name: str, count: int, is_alive: Callable[[], bool]) -> int:
        """Wait until a topic holds a number of records; return how many.

        Raises
        ------
        StalledError
            None came for two minutes, or who writes them ended.
        """
        last, heard = -1, time.monotonic()
        while (found := self.end(name)) < count:
            if found != last:
                last, heard = found, time.monotonic()
            if not is_alive() or time.monotonic() - heard > _PATIENCE_SECONDS:
                raise StalledError(f"{found} of {count} predictions came")
            time.sleep(_POLL_SECONDS)
        return found

    def read(self, name: str) -> list[tuple[int, str]]:
        """Return time (milliseconds) and id of every prediction; control records are none."""
        place = TopicPartition(name, 0)
        self._consumer.assign([place])
        self._consumer.seek_to_beginning(place)
        end, found = self.end(name), []
        while self._consumer.position(place) < end:
            for records in self._consumer.poll(timeout_ms=500).values():
                found += [
                    (record.timestamp, msgspec.json.decode(record.value)["id"])
                    for record in records
                ]
        return found

    def close(self) -> None:
        """Let go of the broker."""
        self._consumer.close()
        self._admin.close()


class Tail:
    """Follows the predictions of one topic, as a reader of committed records does.

    Attributes
    ----------
    ids
        Of the predictions, in their order.
    seen
        The same as a set.
    """

    def __init__(self, broker: str, name: str) -> None:
        self.ids: list[str] = []
        self.seen: set[str] = set()
        self._consumer = KafkaConsumer(
            bootstrap_servers=broker,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
        )
        self._consumer.assign([TopicPartition(name, 0)])

    def read(self, seconds: float) -> None:
        """Read what came; wait a little for the first."""
        for records in self._consumer.poll(timeout_ms=int(1_000 * seconds)).values():
            found = [msgspec.json.decode(record.value)["id"] for record in records]
            self.ids += found
            self.seen.update(found)

    def close(self) -> None:
        """Let go of the broker."""
        self._consumer.close()
