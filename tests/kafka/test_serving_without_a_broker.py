"""An API whose Kafka goes away: predictions go on, ``readyz`` says so, and nothing is lost."""

from __future__ import annotations

import time

import pytest

from stream.logs.kafka_log import KafkaLog
from tests.kafka.broker import LocalKafka
from tests.serve.conftest import World, eventually


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_predictions_go_on_without_the_broker_and_are_recorded_when_it_is_back(
    own_broker: LocalKafka, tmp_path
) -> None:
    world = World(
        tmp_path, log=KafkaLog(own_broker.url), stream={"name": "flights", "broker": own_broker.url}
    )
    world.learn(20)
    path = "/v1/streams/flights/predict"
    with world.api() as client:
        assert client.get("/readyz").status_code == 200
        own_broker.stop()
        longest = 0.0
        for _ in range(20):
            started = time.monotonic()
            answer = client.post(path, json={"event": world.event()})
            longest = max(longest, time.monotonic() - started)
            assert (answer.status_code, answer.json()["recorded"]) == (200, True)
            time.sleep(0.05)
        assert longest < 2.0
        eventually(lambda: client.get("/readyz").status_code == 503, 60)
        red = client.get("/readyz").json()["parts"]["flights"]
        assert red["log"] != "ok"
        assert red["model"] == red["store"] == "ok"
        own_broker.start()
        eventually(lambda: client.get("/readyz").status_code == 200, 60)
        eventually(lambda: len(world.records()) == 40, 60)
        assert 'inference_log_lost_total{stream="flights"} 0.0' in client.get("/metrics").text
    world.close()
