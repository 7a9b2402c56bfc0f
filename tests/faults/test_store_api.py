"""The API while PostgreSQL is away: it answers by the last model, says so, and goes on."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import msgspec
import pytest

from tests.conftest import running_postgres
from tests.postgres import LocalPostgres
from tests.serve.conftest import World, eventually

pytestmark = pytest.mark.promise("store_lost", "answers_kept")

PREDICT = "/v1/streams/flights/predict"


@pytest.fixture(scope="module")
def server() -> Iterator[LocalPostgres]:
    """Return a server of our own: it is stopped and started under the API."""
    with running_postgres() as made:
        yield made


def test_a_server_that_is_away_for_a_while(server, tmp_path, record):
    world = World(tmp_path, stream={"name": "flights", "store": server.url(f"t{uuid4().hex}")})
    world.learn()
    answers = {}

    def ask(client, count: int) -> None:
        for _ in range(count):
            event = world.event()
            answer = client.post(PREDICT, json={"event": event})
            assert answer.status_code == 200, answer.text
            answers[event["id"]] = answer.json()["prediction"]

    with world.api() as client:
        assert client.get("/readyz").status_code == 200
        ask(client, 20)
        for _ in range(2):
            server.down("immediate")
            record.fault()
            eventually(lambda: client.get("/readyz").status_code == 503, 120)
            ready = client.get("/readyz")
            assert ready.headers["content-type"] == "application/problem+json"
            assert "server" in ready.json()["parts"]["flights"]["store"]
            assert client.get("/healthz").status_code == 200
            assert 'riverrun_store_up{stream="flights"} 0.0' in client.get("/metrics").text
            ask(client, 20)
            server.up()
            eventually(lambda: client.get("/readyz").status_code == 200, 120)
        ask(client, 20)
    world.work()
    assert world.store.newest().status["counts"]["events"] == 100
    published = [
        msgspec.json.decode(one.value) for one in world.records(world.config.predictions_topic)
    ]
    kept = {one["id"]: one["prediction"] for one in published}
    record.compared(dict.fromkeys(answers, 1), dict.fromkeys(set(kept) & set(answers), 1))
    assert {key: kept[key] for key in answers} == answers
    world.close()
