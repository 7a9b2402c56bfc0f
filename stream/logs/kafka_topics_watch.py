"""What becomes of topics while they are read: partitions are added, a topic is made anew."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from stream.errors import TopicReplacedError
from stream.logs.kafka_reader import Known
from stream.records import TopicPartition

_LOOK_SECONDS = 0.5


class TopicsWatch:
    """Looks, now and then, at what a reader knows of the topics that it reads.

    Parameters
    ----------
    known
        Returns that, of a topic, without an exchange: readers ask in the background.
    topics
        In the order that breaks ties.
    grows
        Whether partitions that are added are wanted.
    """

    def __init__(
        self, known: Callable[[str], Known], topics: tuple[str, ...], *, grows: bool = True
    ) -> None:
        self._known = known
        self._topics = topics
        self._grows = grows
        self._ids: dict[str, Any] = {}
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
            numbers = self._known(topic)[1] if self._grows else ()
            known |= dict.fromkeys(TopicPartition(topic, number) for number in numbers)
        if len(known) == len(partitions):
            return partitions
        rank = {topic: place for place, topic in enumerate(self._topics)}
        return tuple(sorted(known, key=lambda tp: (rank[tp.topic], tp.partition)))

    def refuse_another(self, topic: str) -> None:
        """Raise TopicReplacedError where a topic is not the one that was read so far."""
        found = self._known(topic)[0]
        if found is not None and self._ids.setdefault(topic, found) != found:
            raise TopicReplacedError(topic)
