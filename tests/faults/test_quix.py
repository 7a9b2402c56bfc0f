"""A worker that Quix Streams runs survives kill -9: each event is learned and published once."""

from __future__ import annotations

import os
import shutil
import signal
from functools import partial
from pathlib import Path

import pytest

from tests.faults.promises import Record
from tests.kafka.broker import LocalKafka
from tests.kafka.quix_scene import QuixScene, eventually

EVENTS = 4_000

pytestmark = [pytest.mark.promise("learned_once"), pytest.mark.timeout(900)]


@pytest.mark.slow_fault
def test_killed_and_started_again_by_quix_each_event_is_learned_once(
    kafka_broker: LocalKafka, tmp_path: Path, record: Record
):
    scene = QuixScene(kafka_broker, tmp_path)
    scene.produce(0, EVENTS)
    seen = 0
    for turn in range(3):
        process = scene.start()
        eventually(partial(scene.has_said, seen + 1))
        os.kill(process.pid, signal.SIGKILL)
        process.wait(60)
        record.fault()
        seen = len(scene.read(scene.config.predictions_topic))
        if turn == 1:  # its disk is gone, too: the state comes back from the changelog
            shutil.rmtree(tmp_path / "state")
        if seen >= EVENTS:
            break
    scene.produce(EVENTS, 200)  # so that each partition is read from by the last one, too
    learned = scene.assert_same_as_replay(scene.caught_up())
    assert learned == EVENTS + 200
    record.figures.events += learned
