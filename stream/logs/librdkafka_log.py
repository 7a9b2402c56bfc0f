"""Kafka by librdkafka: records travel in C, all else is asked as ``KafkaLog`` asks it."""

from __future__ import annotations

from stream.log import Sink
from stream.logs.kafka_log import KafkaLog
from stream.logs.kafka_reader import Reader
from stream.logs.kafka_sink import KnownTopics
from stream.logs.librdkafka_reader import NativeReader
from stream.logs.librdkafka_settings import TRANSPORT
from stream.logs.librdkafka_sink import NativeSink


class LibrdkafkaLog(KafkaLog):
    """An event log on a Kafka cluster, read and written by librdkafka.

    The first contact, topics, offsets and groups' copies of them go over kafka-python here too: so
    what is refused, and in which words, does not depend on who carries the records.

    Parameters and errors are those of ``KafkaLog``.
    """

    transport = TRANSPORT

    def sink(self) -> Sink:
        """Open a writer."""
        return self._keep(NativeSink(self._address, KnownTopics(self._address, self.topics)))

    def _reader(self, group: str | None) -> Reader:
        return NativeReader(self._address, group)
