"""Models per key survive kill -9 wherever they are: in memory, in the store, or on their way."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import pytest

from stream.build import line_factory
from stream.snapshot import restore
from tests.faults.oracle import Replay, read_source
from tests.faults.scene import Scene
from tests.stream.test_key_models import assert_same_models, learner_of, stream_of

pytestmark = pytest.mark.promise("learned_once")

STEPS = [
    ("loading_keys", 1),
    ("loading_keys", 4),
    *[("statement", n) for n in range(12, 60, 6)],
    ("transaction_end", 2),
    ("after_commit", 2),
    ("after_handle", 2),
]


@pytest.mark.parametrize("max_keys", [100_000, 5])
def test_killed_while_most_models_of_keys_are_in_the_store(
    tmp_path, record, max_keys, scene_with_keys: Callable[..., Scene]
):
    scene = scene_with_keys(per_max_keys=max_keys)
    for number, (step, times) in enumerate(STEPS):
        name = f"before_{step}" if step == "loading_keys" and number % 2 else step
        name = "after_loading_keys" if name == "loading_keys" else name
        code, errors = scene.run(step=name, times=times)
        assert code == -signal.SIGKILL, errors or f"{name} was not reached"
        record.fault()
    code, errors = scene.run()
    assert code == 0, errors
    replay = Replay(scene.config, read_source(scene.broker, scene.config))
    store = scene.store()
    replay.assert_same_state(store, record)
    newest = store.newest()
    assert newest is not None

    found = line_factory(scene.config)(newest.version)
    restore(found, *store.load(newest))
    learner_of(found).keys.load = store.key_models.load
    assert_same_models(found, replay.line)
    store.close()


@pytest.fixture
def scene_with_keys(tmp_path, record) -> Callable[..., Scene]:
    """Return what makes a stream of 23 keys, three of which fit into memory."""

    def make(**model: Any) -> Scene:
        urls = (f"sqlite:///{tmp_path}/{name}.db" for name in ("log", "store"))
        keys = {"per": "who", "per_min_events": 2, "per_in_memory": 3} | model
        scene = Scene(*urls, tmp_path, record, events=0, model=keys, monitor={"enabled": False})
        topics = scene.config.events_topic, scene.config.labels_topic
        scene.produce(stream_of(1_200, topics=topics))
        return scene

    return make
