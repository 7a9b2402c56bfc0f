"""The model is swapped in while requests run, and kept where the newer one cannot be used."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import msgspec
import pytest
from sqlalchemy import create_engine, text

from serve.api.model_holder import ModelHolder
from stream.errors import StoreUnreachableError
from stream.storage.identity import identity_of

PREDICT = "/v1/streams/flights/predict"


def damage(world, part: str = "model") -> None:
    """Flip the bytes of the newest checkpoint's part."""
    engine = create_engine(world.config.stream.store)
    with engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE checkpoint_parts SET data = x'00' WHERE part = :part AND number = "
                "(SELECT max(number) FROM checkpoints)"
            ),
            {"part": part},
        )
    engine.dispose()


def holder(world, **changes) -> ModelHolder:
    identity = msgspec.structs.replace(identity_of(world.config), **changes)
    return ModelHolder(world.store, identity, "flights")


def test_no_request_fails_while_models_are_swapped(world):
    stream = world.served(poll_seconds=0.005)
    stop = threading.Event()
    wrong: list[str] = []
    seen: set[int] = set()

    def ask(url: str) -> int:
        asked = 0
        with httpx.Client(base_url=url) as client:
            while not stop.is_set():
                answer = client.post(PREDICT, json={"event": {"x": 1.0}, "record": False})
                asked += 1
                if answer.status_code != 200:
                    wrong.append(answer.text)
                else:
                    seen.add(answer.json()["learned_offset"])
        return asked

    with world.api(stream) as client, ThreadPoolExecutor(3) as pool:
        askers = [pool.submit(ask, str(client.base_url)) for _ in range(3)]
        for number in range(25):
            world.learn(5)
            swapped = threading.Event()
            for _ in range(400):
                if stream.models.swaps >= number + 2:
                    break
                swapped.wait(0.005)
        stop.set()
        asked = sum(asker.result() for asker in askers)
    assert wrong == []
    assert stream.models.swaps >= 21
    assert len(seen) >= 20
    assert asked > 100


def test_a_newer_checkpoint_is_picked_up(world, wait):
    with world.api() as client:
        before = client.post(PREDICT, json={"event": {"x": 1.0}, "record": False}).json()
        world.learn(10)
        status = world.store.newest().status
        wait(
            lambda: (
                client.post(PREDICT, json={"event": {"x": 1.0}, "record": False}).json()[
                    "learned_offset"
                ]
                == status["learned_offset"]
            )
        )
    assert before["learned_offset"] < status["learned_offset"]


def test_a_damaged_checkpoint_keeps_the_old_model_and_readyz_says_so(world, wait):
    stream = world.served(poll_seconds=0.02)
    with world.api(stream) as client:
        stream.models.stop()
        world.learn(10)
        damage(world)
        stream.models.start()
        answer = client.post(PREDICT, json={"event": {"x": 1.0}, "record": False})
        ready = client.get("/readyz")
        assert answer.json()["learned_offset"] == 20
        assert ready.status_code == 503
        assert "damaged" in ready.json()["parts"]["flights"]["model"]
        assert "riverrun_model_current{stream=" in client.get("/metrics").text
        world.learn(10)
        wait(lambda: client.get("/readyz").status_code == 200)
        answer = client.post(PREDICT, json={"event": {"x": 1.0}, "record": False})
        assert answer.json()["learned_offset"] == 40


def test_an_older_whole_checkpoint_is_better_than_no_model(world):
    world.learn(10)
    damage(world)
    models = holder(world)
    models.poll()
    assert models.live.learned_offset == 20
    assert "damaged" in models.trouble
    assert models.newest.number == models.live.number + 1


def test_a_damaged_checkpoint_is_read_once(world, monkeypatch):
    models = holder(world)
    models.poll()
    world.learn(10)
    damage(world)
    loads = []
    load_part = world.store.load_part
    monkeypatch.setattr(
        world.store, "load_part", lambda *args: loads.append(args) or load_part(*args)
    )
    for _ in range(5):
        models.poll()
    assert len(loads) == 1


def test_damage_elsewhere_in_a_checkpoint_does_not_stop_its_model(world):
    damage(world, "state")
    models = holder(world)
    models.poll()
    assert models.live is not None
    assert models.trouble is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"libraries": {"river": "0.1"}}, "River"),
        ({"format": 99}, "format"),
        ({"fingerprint": "another"}, "configuration"),
    ],
)
def test_a_model_that_was_learned_with_something_else_is_not_served(world, changes, reason):
    models = holder(world, **changes)
    models.poll()
    assert models.live is None
    assert reason in models.trouble


def test_after_the_worker_went_back_its_older_checkpoint_is_served(world):
    world.learn(10)
    models = holder(world)
    models.poll()
    newest = models.live.number
    claim = world.store.claim("a test", 0)
    world.store.go_back_to(claim, newest - 1)
    models.poll()
    assert models.live.number == newest - 1
    assert models.trouble is None


def test_a_store_that_is_away_leaves_the_model_serving_and_readyz_red(world, wait, monkeypatch):
    stream = world.served()
    newest = world.store.newest

    def away():
        raise StoreUnreachableError("store: connection refused")

    with world.api(stream) as client:
        monkeypatch.setattr(world.store, "newest", away)
        wait(lambda: client.get("/readyz").status_code == 503)
        assert "connection refused" in client.get("/readyz").json()["detail"]
        assert client.post(PREDICT, json={"event": world.event()}).status_code == 200
        status = client.get("/v1/streams/flights").json()
        assert "connection refused" in status["parts"]["store"]
        assert status["serving"]["staleness_seconds"] > 0
        monkeypatch.setattr(world.store, "newest", newest)
        wait(lambda: client.get("/readyz").status_code == 200)


def test_a_store_that_hangs_is_noticed(world, monkeypatch):
    models = holder(world)
    models.poll()
    assert models.store_trouble is None
    monkeypatch.setattr("serve.api.model_holder._SILENT_SECONDS", -1.0)
    assert "has not answered" in models.store_trouble


def test_a_poll_that_fails_unexpectedly_does_not_end_the_polling(world, monkeypatch):
    models = holder(world)
    monkeypatch.setattr(world.store, "newest", lambda: 1 / 0)
    models.poll()
    assert "ZeroDivisionError" in models.store_trouble
    monkeypatch.undo()
    models.poll()
    assert models.store_trouble is None
    assert models.live is not None
