"""A plain loop with confluent-kafka: consume, predict, learn, produce; a pickle now and then.

``saving``: ``pickle`` commits offsets after each pickle; ``auto`` leaves them to the client, as its
default does; ``none`` keeps nothing.
"""

from __future__ import annotations

import signal
import time

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from learning import Settings, file_of, load, save, tell


def main() -> None:
    """Run until SIGTERM."""
    settings = Settings()
    learner = load(settings)
    consumer = Consumer(
        {
            "bootstrap.servers": settings.broker,
            "group.id": settings.group,
            "auto.offset.reset": "earliest",
            "session.timeout.ms": settings.session_ms,
            "enable.auto.commit": settings.saving == "auto",
            "auto.commit.interval.ms": int(1_000 * settings.seconds),
        }
    )
    producer = Producer({"bootstrap.servers": settings.broker, "linger.ms": 20})
    consumer.subscribe([settings.events])
    is_asked_to_stop: list[bool] = []
    signal.signal(signal.SIGTERM, lambda *_: is_asked_to_stop.append(True))
    decode, encode, saved = msgspec.json.Decoder(), msgspec.json.Encoder(), time.monotonic()

    def checkpoint() -> None:
        producer.flush()
        save(learner, file_of(settings))
        if settings.saving == "pickle":
            _commit(consumer)

    while not is_asked_to_stop:
        for message in consumer.consume(1_000, 0.1):
            said = learner.step(decode.decode(message.value()))
            producer.produce(settings.predictions, encode.encode(said), message.key())
            producer.poll(0)
        if time.monotonic() - saved >= settings.seconds:
            checkpoint()
            saved = time.monotonic()
    checkpoint()
    consumer.close()
    tell(settings, learner)


def _commit(consumer: Consumer) -> None:
    try:
        consumer.commit(asynchronous=False)
    except KafkaException as error:
        if error.args[0].code() != KafkaError._NO_OFFSET:  # noqa: SLF001 - its public name
            raise  # nothing new is no error


if __name__ == "__main__":
    main()
