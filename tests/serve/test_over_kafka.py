"""The same API over a real Apache Kafka."""

from __future__ import annotations

import uuid

import pytest

from stream.events import SERVED_HEADER
from stream.logs.kafka_log import KafkaLog
from stream.logs.kafka_security import Credentials
from tests.kafka.broker import PASSWORD, USER


@pytest.mark.parametrize("door", ["plain", "tls and sasl"])
def test_what_the_api_served_and_took_is_learned_over_kafka(make_world, kafka_broker, wait, door):
    name = f"s{uuid.uuid4().hex[:8]}"
    log = KafkaLog(kafka_broker.url)
    if door == "tls and sasl":
        doors = kafka_broker.doors
        options = {"ssl_cafile": doors.file("ca.pem"), "sasl_mechanism": "SCRAM-SHA-256"}
        log.close()
        log = KafkaLog(
            doors.url("secure"), options=options, credentials=Credentials(USER, PASSWORD)
        )
    world = make_world(log=log, stream={"name": name, "broker": kafka_broker.url})
    world.learn(20)
    base = f"/v1/streams/{name}"
    event = world.event()
    with world.api() as client:
        assert client.get("/readyz").status_code == 200
        served = client.post(f"{base}/predict", json={"event": event}).json()
        assert served["recorded"]
        place = client.post(f"{base}/events", json=[world.event(), world.event()])
        label = client.post(f"{base}/labels", json={"id": event["id"], "late": True})
        wait(lambda: len(world.records()) == 23)
    assert (place.status_code, label.status_code) == (202, 202)
    assert label.json()["accepted"][0] == {
        "id": event["id"],
        "topic": f"{name}.labels",
        "partition": 0,
        "offset": 0,
    }
    assert sum(record.header(SERVED_HEADER) is not None for record in world.records()) == 1
    counts = world.work()["counts"]
    assert (counts["served"], counts["learned"], counts["dead_lettered"]) == (1, 21, 0)
