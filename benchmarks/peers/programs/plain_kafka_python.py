"""The same plain loop with kafka-python, with its default of batches up to 500 records."""

from __future__ import annotations

import signal
import time

import msgspec
from kafka import KafkaConsumer, KafkaProducer
from learning import Settings, file_of, load, save, tell


def main() -> None:
    """Run until SIGTERM."""
    settings = Settings()
    learner = load(settings)
    consumer = KafkaConsumer(
        settings.events,
        bootstrap_servers=settings.broker,
        group_id=settings.group,
        auto_offset_reset="earliest",
        session_timeout_ms=settings.session_ms,
        heartbeat_interval_ms=settings.session_ms // 3,
        enable_auto_commit=settings.saving == "auto",
        auto_commit_interval_ms=int(1_000 * settings.seconds),
    )
    producer = KafkaProducer(bootstrap_servers=settings.broker, linger_ms=20)
    is_asked_to_stop: list[bool] = []
    signal.signal(signal.SIGTERM, lambda *_: is_asked_to_stop.append(True))
    decode, encode, saved = msgspec.json.Decoder(), msgspec.json.Encoder(), time.monotonic()

    def checkpoint() -> None:
        producer.flush()
        save(learner, file_of(settings))
        if settings.saving == "pickle":
            consumer.commit()

    while not is_asked_to_stop:
        for messages in consumer.poll(timeout_ms=100).values():
            for message in messages:
                said = learner.step(decode.decode(message.value))
                producer.send(settings.predictions, encode.encode(said), message.key)
        if time.monotonic() - saved >= settings.seconds:
            checkpoint()
            saved = time.monotonic()
    checkpoint()
    consumer.close()
    tell(settings, learner)


if __name__ == "__main__":
    main()
