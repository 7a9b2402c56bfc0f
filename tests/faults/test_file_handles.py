"""A worker and an API that run out of file handles."""

from __future__ import annotations

import socket
import time

import pytest

from stream.logs.open_log import open_log
from tests.faults.oracle import read_all
from tests.faults.programs import Asked, Program, wait_for
from tests.faults.scene import Scene
from tests.lines import event

pytestmark = pytest.mark.promise("resources_run_out")


@pytest.fixture
def scene(tmp_path, record):
    """Return a produced stream."""
    broker, store = f"sqlite:///{tmp_path / 'log.db'}", f"sqlite:///{tmp_path / 'store.db'}"
    return Scene(broker, store, tmp_path, record, events=800)


@pytest.mark.parametrize("left", [0, 3])
def test_a_worker_without_file_handles_stops_with_a_message_or_goes_on(scene, record, left):
    code, errors = scene.run(files=left)
    record.fault()
    assert code in (0, 3), errors
    if code == 3:
        assert "riverrun" not in errors.partition("Traceback")[1]
        assert "store" in errors or "log" in errors or "open" in errors
    code, errors = scene.run()
    assert code == 0, errors
    scene.assert_same_as_uninterrupted()


@pytest.mark.parametrize("handles", [5, 8])
def test_a_worker_that_cannot_open_its_files_says_so_in_a_line(scene, record, tmp_path, handles):
    worker = Program(scene, tmp_path, "worker", "--until-caught-up", limits=f"ulimit -n {handles}")
    code = worker.end()
    record.fault()
    if code != 0:
        assert code == 3, worker.said
        assert "Traceback" not in worker.said
    assert scene.run()[0] == 0
    scene.assert_same_as_uninterrupted()


def test_an_api_without_file_handles_answers_who_is_connected_and_comes_back(
    scene, record, tmp_path
):
    assert scene.run()[0] == 0
    asked = Asked(scene)
    api = Program(scene, tmp_path, "api", limits="ulimit -n 64")
    crowd: list[socket.socket] = []
    try:
        wait_for(asked.is_ready, "the API", api)
        for _ in range(120):
            one = socket.create_connection(("127.0.0.1", asked.port), timeout=10)
            one.sendall(b"GET /heal")  # begun, never ended
            crowd.append(one)
        record.fault()
        time.sleep(1)
        for number in range(50_000, 50_050):
            answer = asked.predict(event(number))
            assert answer.status_code == 200, answer.text
        for one in crowd:
            one.close()
        crowd.clear()
        asked.http.close()
        again = Asked(scene, asked.port)
        wait_for(again.is_ready, "the API after the crowd", api)
        assert again.predict(event(50_050)).status_code == 200
        assert api.terminate() == 0
    finally:
        for one in crowd:
            one.close()
        api.kill()
    assert "Traceback" not in api.said
    log = open_log(scene.broker)
    keys = [one.key for one in read_all(log, scene.config.events_topic)]
    log.close()
    assert {b"e%d" % number for number in range(50_000, 50_051)} <= set(keys)
    assert scene.run()[0] == 0
    scene.assert_same_as_uninterrupted()
