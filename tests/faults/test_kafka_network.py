"""A network that is cut, slow or half-open between worker and broker costs time and nothing else.

The broker tells its clients to come to a port where a proxy of ours listens, so that nothing goes
around it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.proxy import Proxy
from tests.faults.scene import Scene
from tests.faults.watching import committed, said, wait_until
from tests.kafka.broker import LocalKafka

pytestmark = [
    pytest.mark.promise("broker_lost"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
EVENTS = 600


@pytest.fixture
def proxy(kafka_broker: LocalKafka) -> Iterator[Proxy]:
    """The way to the broker."""
    ports = kafka_broker.doors.ports
    proxy = Proxy(ports["proxy"], ports["proxied"])
    yield proxy
    proxy.close()


def make_scene(broker: LocalKafka, tmp_path: Path, record, **sections) -> Scene:
    return Scene(
        broker.doors.url("proxied"), f"sqlite:///{tmp_path / 'store.db'}", tmp_path, record,
        events=EVENTS, **sections,
    )  # fmt: skip


def test_connections_that_are_cut_again_and_again_are_opened_anew(
    kafka_broker, proxy, tmp_path, record
):
    scene = make_scene(kafka_broker, tmp_path, record)
    process = scene.start(slow=0.2)
    for number in (2, 4, 6, 8, 10):
        if not process.is_alive():
            break
        wait_until(
            lambda number=number: committed(scene, number) or not process.is_alive(), "a commit"
        )
        proxy.cut()
        record.fault()
    code, errors = scene.end(process)
    assert code == 0, errors
    scene.assert_same_as_uninterrupted()


def test_a_network_that_is_gone_for_a_while_is_waited_for(kafka_broker, proxy, tmp_path, record):
    scene, told = make_scene(kafka_broker, tmp_path, record), tmp_path / "told"
    process = scene.start(slow=0.2, told=str(told))
    wait_until(lambda: committed(scene, 2), "a commit")
    proxy.refuse()
    proxy.cut()
    record.fault()
    wait_until(lambda: said(told, "log_silent"), "a line about the silence")
    proxy.listen()
    code, errors = scene.end(process)
    assert code == 0, errors
    scene.assert_same_as_uninterrupted()


def test_a_slow_network_is_slow(kafka_broker, proxy, tmp_path, record):
    scene = make_scene(kafka_broker, tmp_path, record)
    proxy.slow_down(40_000)
    record.fault()
    code, errors = scene.run()
    assert code == 0, errors
    proxy.slow_down(None)
    scene.assert_same_as_uninterrupted()


def test_connections_that_are_half_open_are_given_up(kafka_broker, proxy, tmp_path, record):
    scene, told = make_scene(kafka_broker, tmp_path, record), tmp_path / "told"
    process = scene.start(slow=0.2, told=str(told))
    wait_until(lambda: committed(scene, 2), "a commit")
    before = proxy.accepted
    proxy.freeze()  # what is open stays so, and silent; new connections are fine
    record.fault()
    code, errors = scene.end(process)
    assert code == 0, errors
    assert proxy.accepted > before
    assert said(told, "log_silent")
    scene.assert_same_as_uninterrupted()


def test_a_network_that_swallows_everything_ends_the_worker_in_time(
    kafka_broker, proxy, tmp_path, record
):
    scene = make_scene(kafka_broker, tmp_path, record, kafka={"patience": "6s"})
    process = scene.start(slow=0.2)
    wait_until(lambda: committed(scene, 2), "a commit")
    proxy.fall_silent()
    record.fault()
    code, errors = scene.end(process)
    assert code == 3, errors
    assert f"127.0.0.1:{proxy.port}" in errors
    proxy.fall_silent(False)
    proxy.cut()
    code, errors = scene.run()
    assert code == 0, errors
    scene.assert_same_as_uninterrupted()
