"""What becomes of topics while they are read: partitions are added, a topic is made anew."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

from stream.errors import TopicReplacedError
from stream.records import TopicPartition

METADATA_SECONDS = 2.0
"""How old a consumer lets its knowledge of topics become."""

_LOOK_SECONDS = 0.5


class TopicsWatch:
    """Looks, now and then, at what a KafkaConsumer knows of the topics that it reads.

    Parameters
    ----------
    consumer
        Asks the cluster for it every METADATA_SECONDS; looking costs no exchange.
    topics
        In the order that breaks ties.
    """

    def __init__(self, consumer: Any, topics: tuple[str, ...]) -> None:
        self._cluster = consumer._cluster  # noqa: SLF001
        self._topics = topics
        self._ids: dict[str, UUID] = {}
        self._looked = float("-inf")

    def grown(self, partitions: tuple[TopicPartition, ...]) -> tuple[TopicPartition, ...]:
        """Return the partitions, with those that were added since.

        Raises
        ------
        TopicReplacedError
            When a topic was deleted and made anew: its offsets mean something else now.
        """
        now = time.monotonic()
        if now - self._looked < _LOOK_SECONDS:
            return partitions
        self._looked = now
        known = dict.fromkeys(partitions)
        for topic in self._topics:
            self.refuse_another(topic)
            numbers = self._cluster.partitions_for_topic(topic) or ()
            known |= dict.fromkeys(TopicPartition(topic, number) for number in numbers)
        if len(known) == len(partitions):
            return partitions
        rank = {topic: place for place, topic in enumerate(self._topics)}
        return tuple(sorted(known, key=lambda tp: (rank[tp.topic], tp.partition)))

    def refuse_another(self, topic: str) -> None:
        """Raise TopicReplacedError where a topic is not the one that was read so far."""
        found = self._cluster.topic_id(topic)
        if found and self._ids.setdefault(topic, found) != found:
            raise TopicReplacedError(topic)
