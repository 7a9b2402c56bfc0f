"""What librdkafka hears of topics in the background: their ids and their partitions."""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import Future
from typing import Any

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from stream.logs.kafka_reader import METADATA_SECONDS, Known

_ANSWER_SECONDS = 5.0


class TopicsKnown:
    """Asks for topics every METADATA_SECONDS, and never waits for the answer.

    Parameters
    ----------
    settings
        Of every client.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        self._admin: AdminClient | None = AdminClient(settings)
        self._topics: list[str] = []
        self._answers: dict[str, Future[Any]] = {}
        self._known: dict[str, Known] = {}
        self._asked = float("-inf")

    def look_at(self, topics: Iterable[str]) -> None:
        """Ask for these topics from now on."""
        self._topics = sorted(topics)

    def known(self, topic: str) -> Known:
        """Return what was last heard of a topic; nothing, before the first answer."""
        if self._admin is not None:
            self._admin.poll(0)
            self._hear()
            if not self._answers and time.monotonic() - self._asked >= METADATA_SECONDS:
                self._ask(self._admin)
        return self._known.get(topic, (None, ()))

    def close(self) -> None:
        """Let go of the connections."""
        self._admin = None
        self._answers.clear()

    def _ask(self, admin: AdminClient) -> None:
        self._asked = time.monotonic()
        wanted = TopicCollection(self._topics)
        self._answers = admin.describe_topics(wanted, request_timeout=_ANSWER_SECONDS)

    def _hear(self) -> None:
        for topic, answer in list(self._answers.items()):
            if not answer.done():
                continue
            del self._answers[topic]
            try:
                found = answer.result()
            except KafkaException:
                # Away, or deleted: what was known before stays known.
                continue
            numbers = tuple(partition.id for partition in found.partitions)
            self._known[topic] = (str(found.topic_id), numbers)
