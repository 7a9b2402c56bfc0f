"""PostgreSQL stopped, cut off, locked, slow or fought over: the stream goes on as it would."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from tests.conftest import running_postgres
from tests.faults.patient import PatientScene
from tests.postgres import LocalPostgres

pytestmark = pytest.mark.promise("store_lost", "learned_once")

EVENTS = 900


@pytest.fixture(scope="module")
def server() -> Iterator[LocalPostgres]:
    """Return a server of our own: it is stopped and started under the worker."""
    with running_postgres() as made:
        yield made


@pytest.fixture
def make_scene(server, tmp_path, record):
    """Return what makes a produced stream whose store is an empty database of the server."""

    def make(options: str = "", events: int = EVENTS) -> PatientScene:
        url = server.url(f"t{uuid4().hex}") + options
        return PatientScene(f"sqlite:///{tmp_path}/log.db", url, tmp_path, record, events=events)

    return make


def test_a_server_that_is_stopped_and_started_again_three_times(server, make_scene, record):
    scene = make_scene()
    worker = scene.start(slow=0.5)
    for number in range(3):
        scene.wait_for_commits(worker, more=2)
        server.down("immediate")
        record.fault()
        scene.wait(worker, lambda seen=number: len(scene.outages(worker)) > seen)
        server.up()
    code, said = scene.end(worker)
    assert code == 0, said
    assert all("nothing was lost" in reason for reason in scene.outages(worker))
    assert sum(row["event"] == "started" for row in scene.told(worker)) >= 4
    scene.assert_same_as_uninterrupted()


def test_a_server_that_is_away_longer_than_patience(server, make_scene, record):
    scene = make_scene()
    worker = scene.start(slow=0.5, patience=1_000)
    scene.wait_for_commits(worker)
    server.down("immediate")
    record.fault()
    code, said = scene.end(worker)
    assert code == 3
    assert "the last checkpoint stands" in said
    assert "Traceback" not in said
    code, said = scene.run()
    assert (code, "refused" in said) == (3, True), said
    server.up()
    assert scene.run()[0] == 0
    scene.assert_same_as_uninterrupted()


def test_a_worker_that_is_told_to_stop_while_the_server_is_away_ends_at_once(
    server, make_scene, record
):
    scene = make_scene()
    worker = scene.start(slow=0.5)
    scene.wait_for_commits(worker)
    server.down("immediate")
    record.fault()
    scene.wait(worker, lambda: scene.outages(worker))
    os.kill(worker.pid, signal.SIGTERM)
    code, said = scene.end(worker, 60)
    assert (code, "the last checkpoint stands" in said) == (3, True), said
    server.up()
    code, said = scene.run()
    assert code == 0, said
    scene.assert_same_as_uninterrupted()


@pytest.mark.parametrize("drop", ["statement", "commit", "committed"])
def test_a_connection_that_is_lost_in_the_middle_of_a_commit(make_scene, record, drop):
    scene = make_scene()
    at = [3, 12, 31, 47, 66, 90, 131] if drop == "statement" else [3, 10, 17]
    worker = scene.start(drop=drop, at=at)
    code, said = scene.end(worker)
    assert code == 0, said
    begun = sum(row["event"] == "started" for row in scene.told(worker))
    assert begun > len(at) / 2, "the log was too short: too little was cut"
    record.fault(begun - 1)
    scene.assert_same_as_uninterrupted()


def test_a_table_that_is_locked_for_long(server, make_scene, record):
    scene = make_scene("?options=-c%20lock_timeout%3D300ms")
    worker = scene.start(slow=0.5)
    scene.wait_for_commits(worker)
    dsn = scene.store_url.partition("?")[0].replace("+psycopg", "")
    with psycopg.connect(dsn) as other:
        other.execute("LOCK TABLE checkpoints IN ACCESS EXCLUSIVE MODE")
        record.fault()
        scene.wait(worker, lambda: scene.outages(worker))
    assert "lock timeout" in scene.outages(worker)[0]
    code, said = scene.end(worker)
    assert code == 0, said
    scene.assert_same_as_uninterrupted()


def test_a_server_that_is_slow_costs_time_only(make_scene, record):
    scene = make_scene(events=300)
    record.fault()
    code, said = scene.run(delay=0.02)
    assert code == 0, said
    scene.assert_same_as_uninterrupted()


@pytest.mark.promise("fenced")
def test_of_workers_that_fight_for_a_stream_the_last_one_writes(make_scene, record):
    scene = make_scene()
    workers = [scene.start(slow=0.5) for _ in range(4)]
    for worker in workers:
        scene.wait(worker, lambda one=worker: one.exitcode is not None or scene.told(one))
    codes, said = zip(*(scene.end(worker) for worker in workers), strict=True)
    record.fault(len(workers) - 1)
    assert sorted(codes) == [0, 4, 4, 4], said
    assert sum("another worker took over" in one for one in said) == 3
    scene.assert_same_as_uninterrupted()


@pytest.mark.promise("fenced")
def test_a_worker_that_is_frozen_in_a_commit_does_not_hold_the_next_one_up(make_scene, record):
    scene = make_scene("?options=-c%20idle_in_transaction_session_timeout%3D500ms")
    frozen = scene.start(step="statement", times=25, signal=signal.SIGSTOP)
    scene.wait(frozen, lambda: _is_stopped(frozen.pid))
    record.fault()
    code, said = scene.run()
    assert code == 0, said
    os.kill(frozen.pid, signal.SIGCONT)
    code, said = scene.end(frozen)
    assert (code, "another worker took over" in said) == (4, True), said
    scene.assert_same_as_uninterrupted()


def _is_stopped(process: int) -> bool:
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def test_a_follower_that_is_promoted_goes_on_from_what_it_has(tmp_path, record):
    first = LocalPostgres()
    first.start()
    second = None
    try:
        url = first.url(f"t{uuid4().hex}")
        second = first.follower()
        hosts = f"host=127.0.0.1:{first.port}&host=127.0.0.1:{second.port}"
        url = (
            url.replace(f"127.0.0.1:{first.port}", "") + f"?{hosts}&target_session_attrs=read-write"
        )
        scene = PatientScene(f"sqlite:///{tmp_path}/log.db", url, tmp_path, record, events=EVENTS)
        worker = scene.start(slow=0.5)
        scene.wait_for_commits(worker)
        first.down("immediate")
        record.fault()
        scene.wait(worker, lambda: scene.outages(worker))
        second.promote()
        code, said = scene.end(worker)
        assert code == 0, said
        scene.assert_same_as_uninterrupted()
    finally:
        first.stop()
        if second is not None:
            second.stop()
