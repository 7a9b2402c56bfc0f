"""From the events topic to chantilly over HTTP and back: predict, then learn by the event's id."""

from __future__ import annotations

import http.client
import json
import signal
import sys
from typing import Any

from confluent_kafka import Consumer, Producer

_JSON = {"Content-Type": "application/json"}


def main() -> None:
    """Run until SIGTERM."""
    given: dict[str, Any] = json.loads(sys.argv[1])
    consumer = Consumer(
        {
            "bootstrap.servers": given["broker"],
            "group.id": given["group"],
            "auto.offset.reset": "earliest",
        }
    )
    producer = Producer({"bootstrap.servers": given["broker"], "linger.ms": 20})
    consumer.subscribe([given["events"]])
    server = http.client.HTTPConnection("127.0.0.1", given["port"])
    is_asked_to_stop: list[bool] = []
    signal.signal(signal.SIGTERM, lambda *_: is_asked_to_stop.append(True))

    def post(path: str, body: dict[str, Any]) -> Any:
        server.request("POST", path, json.dumps(body), _JSON)
        answer = server.getresponse()
        text = answer.read()
        if answer.status >= 400:
            raise RuntimeError(f"{path}: {answer.status} {text!r}")
        return json.loads(text) if text.strip() else None

    while not is_asked_to_stop:
        for message in consumer.consume(100, 0.1):
            event = json.loads(message.value())
            features = {name: value for name, value in event.items() if name.startswith("f")}
            said = post("/api/predict", {"id": event["id"], "features": features})
            if "label" in event:
                post("/api/learn", {"id": event["id"], "ground_truth": event["label"]})
            record = json.dumps({"id": event["id"], "prediction": said}).encode()
            producer.produce(given["predictions"], record, message.key())
            producer.poll(0)
        producer.flush()
    consumer.close()


if __name__ == "__main__":
    main()
