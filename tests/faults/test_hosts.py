"""Workers on hosts of their own are cut off, beyond their group's patience, and come back."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import real_thing
from tests.faults.hosts import Hosts, HostsMissingError, HostsRefusedError
from tests.faults.shard_scene import ShardScene
from tests.kafka.broker import KafkaMissingError, LocalKafka
from tests.postgres import LocalPostgres

pytestmark = pytest.mark.promise("learned_once", "fenced", "broker_lost", "store_lost")

BATCH = 400


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    """Return three hosts beside this machine; they are gone when the test has ended."""
    try:
        made = Hosts(3)
    except HostsMissingError as error:
        real_thing(error)
        raise
    except HostsRefusedError as error:
        pytest.skip(f"this user may not make network namespaces: {error}")
    yield made
    made.remove()


@pytest.fixture
def scene(hosts: Hosts, tmp_path: Path, record) -> Iterator[ShardScene]:
    """Return a divided stream whose Kafka and PostgreSQL every host reaches."""
    with ExitStack() as stack:
        try:
            broker = LocalKafka(is_brief=True, host=hosts.address)
            server = LocalPostgres(hosts.address)
        except (FileNotFoundError, KeyError, KafkaMissingError) as error:
            real_thing(error)
            raise
        stack.callback(broker.remove)
        broker.start()
        stack.callback(server.stop)
        server.start()
        made = ShardScene(broker.url, server.url("hosts"), tmp_path, record, "6s")
        stack.callback(made.kill_all)
        yield made


@pytest.mark.slow_fault
def test_hosts_that_are_cut_off_and_come_back_lose_nothing_and_repeat_nothing(scene, hosts):
    scene.produce_events(BATCH)
    workers = [scene.start(host=name) for name in hosts.names]
    scene.wait_for_owners(*workers)

    for number, cut_off in enumerate((hosts.unplugged, hosts.unheard, hosts.deaf)):
        scene.produce_events(BATCH)
        with cut_off(number):
            scene.record.fault()
            scene.produce_events(BATCH)
            scene.wait_for_owners(*(one for one in workers if one is not workers[number]))
            scene.wait_until_read()
        scene.wait_for_owners(*workers)

    scene.produce_events(BATCH)
    scene.wait_until_read()
    for worker in workers:
        scene.signal(worker, signal.SIGTERM)
    for worker in workers:
        code, errors = scene.end(worker)
        assert code == 0, errors
    scene.assert_each_shard_same_as_uninterrupted()
