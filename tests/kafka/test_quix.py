"""The core step run by Quix Streams equals an offline replay of it, over a stop and a restart."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tests.kafka.broker import LocalKafka
from tests.kafka.quix_scene import QuixScene, eventually


@pytest.mark.timeout(600)
def test_stopped_by_sigterm_it_commits_and_goes_on(kafka_broker: LocalKafka, tmp_path: Path):
    scene = QuixScene(kafka_broker, tmp_path)
    scene.produce(0, 400)
    process = scene.start()
    eventually(partial(scene.has_said, 400))
    process.terminate()
    assert process.wait(120) == 0, scene.said()
    scene.produce(400, 200)
    status = scene.caught_up()
    assert scene.assert_same_as_replay(status) == 600
    assert all(found["keys"]["spilled"] for found in status["partitions"].values())
