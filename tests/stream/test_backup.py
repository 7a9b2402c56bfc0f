"""A backup is one state of the store, whoever writes meanwhile; a restore is whole, and goes on."""

from __future__ import annotations

import itertools
import os
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from stream.digest import state_digest
from stream.errors import BackupError, FencedError, StoreVersionError
from stream.logs.memory_log import MemoryLog
from stream.storage.audit import Actor
from stream.storage.backup import make_backup
from stream.storage.backup_file import damages, opened_backup
from stream.storage.connect import connect
from stream.storage.restore import restore_backup
from stream.storage.schema import upgrade
from stream.storage.store import Store
from tests.lines import SMALL_MONITOR, interleaved
from tests.stream.old_stores import make_old_store
from tests.stream.test_migrations import contents
from tests.stream.test_store import commit
from tests.stream.test_worker import Bench

RECORDS = interleaved(600)
SECTIONS: dict[str, Any] = {"monitor": SMALL_MONITOR, "retrain": {"enabled": False}}


def backed_up(url: str, path: Path, secret: bytes | None = None):
    engine = connect(url)
    try:
        return make_backup(engine, path, secret, now=1_000.0)
    finally:
        engine.dispose()


def restored(path: Path, url: str, *, force: bool = False, now: float | None = None):
    engine = connect(url)
    try:
        with opened_backup(path) as (backup, manifest):
            return restore_backup(
                backup, manifest, engine, force=force, actor=Actor("me"), now=now or time.time()
            )
    finally:
        engine.dispose()


def half_learned(url: str) -> Bench:
    """Return a stream of which half was learned before the rest came."""
    bench = Bench(url, **SECTIONS)
    bench.log = MemoryLog(clock=itertools.count(1_000_000).__next__)
    bench.log.create_topics(dict.fromkeys(bench.config.topic_names, 1))
    for row in RECORDS[: len(RECORDS) // 2]:
        bench.produce([row])
    bench.run()
    bench.store.runs.ask("retrain", {"reason": "why"}, "me", 1.0)
    bench.store.shared_secret()
    for row in RECORDS[len(RECORDS) // 2 :]:
        bench.produce([row])
    return bench


def over(bench: Bench, url: str) -> Bench:
    """Return the same stream over another store."""
    other = Bench.__new__(Bench)
    other.__dict__ |= bench.__dict__ | {"url": url, "store": Store(url, "s")}
    return other


@pytest.fixture(params=["sqlite", "postgresql"])
def target(request, tmp_path) -> str:
    """Return the URL of an empty store to restore into, on each database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'target.db'}"
    return request.getfixturevalue("postgres").url(f"t{uuid4().hex}")


def test_what_was_restored_goes_on_from_its_checkpoint_as_the_first_would_have(
    url, target, tmp_path
):
    bench = half_learned(url)
    made = backed_up(url, tmp_path / "b.db")
    assert (made.damaged, made.size) == ([], (tmp_path / "b.db").stat().st_size)
    before = contents(url)
    went_on = bench.run()

    done = restored(tmp_path / "b.db", target)
    assert done.checkpoints == {"s": 1}
    after = contents(target)
    for name, (_, held) in before.items():
        if name not in ("shards", "happenings", "audit"):
            assert after[name][1] == held, name
    other = over(bench, target)
    newest = other.store.newest()
    assert newest.status["counts"]["events"] < went_on.line.counts.events
    assert state_digest(other.run().line) == state_digest(went_on.line)
    kinds = [row["kind"] for row in other.store.happenings()]
    assert "restored" in kinds
    assert other.store.audit.entries(1)[0]["action"] == "store_restore"
    # The server's numbering goes on behind what came.
    assert other.store.runs.ask("retrain", {"reason": "again"}, "me", 2.0) == 2


def test_a_backup_while_a_worker_writes_is_one_state(url, tmp_path):
    bench = Bench(url, checkpoint={"share": 1.0, "min_interval": "1ms"}, **SECTIONS)
    bench.produce(RECORDS)
    stop = threading.Event()

    def write() -> None:
        store, number = Store(url, "other"), 0
        claim = store.claim("me", 0.0)
        while not stop.is_set():
            number += 1
            commit(store, claim, number, data=os.urandom(100_000))
        store.close()

    bench.run()
    thread = threading.Thread(target=write)
    thread.start()
    try:
        deadline = time.monotonic() + 60
        while (Store(url, "other").newest() is None) and time.monotonic() < deadline:
            time.sleep(0.01)
        for number in range(5):
            path = tmp_path / f"{number}.db"
            assert backed_up(url, path).damaged == []
            with opened_backup(path) as (engine, _):
                held = Store(f"sqlite:///{engine.url.database}", "other")
                newest = held.newest()
                assert newest is not None
                assert newest.number * 10 == newest.offsets["t-0"]
                held.load(newest)
                held.close()
    finally:
        stop.set()
        thread.join(60)


def test_a_worker_of_the_store_that_was_restored_over_is_fenced(url, tmp_path):
    bench = half_learned(url)
    backed_up(url, tmp_path / "b.db")
    running = bench.worker()
    restored(tmp_path / "b.db", url, force=True, now=time.time() + 10**6)
    with pytest.raises(FencedError, match="took over"):
        running.run(lambda: False, until_caught_up=True)
    bench.run()


def test_a_store_that_holds_something_is_replaced_only_when_asked(url, tmp_path):
    bench = half_learned(url)
    backed_up(url, tmp_path / "b.db")
    bench.run()
    before = contents(url)
    with pytest.raises(BackupError, match=r"is not empty: .* --force"):
        restored(tmp_path / "b.db", url)
    assert contents(url) == before
    assert restored(tmp_path / "b.db", url, force=True).rows > 0
    assert bench.store.newest().number == 1


def test_nothing_is_restored_under_a_running_worker(url, tmp_path):
    bench = half_learned(url)
    backed_up(url, tmp_path / "b.db")
    sleeper = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        bench.store.claim(f"{socket.gethostname()}:{sleeper.pid}", 0.0)
        with pytest.raises(BackupError, match="Stop it first"):
            restored(tmp_path / "b.db", url, force=True)
        bench.store.claim("elsewhere:1", time.time() - 20)
        with pytest.raises(BackupError, match="Stop it first"):
            restored(tmp_path / "b.db", url, force=True)
    finally:
        sleeper.communicate()
    restored(tmp_path / "b.db", url, force=True, now=time.time() + 100_000)


def test_a_backup_that_was_touched_is_refused_before_anything_is_written(tmp_path):
    bench = half_learned(f"sqlite:///{tmp_path}/s.db")
    path, target = tmp_path / "b.db", f"sqlite:///{tmp_path}/t.db"
    backed_up(bench.url, path)
    whole = path.read_bytes()
    model = sqlite3.connect(path).execute("SELECT data FROM checkpoint_parts").fetchone()[0]
    at = whole.index(model[100:150]) + 20

    def refused(data: bytes, says: str) -> None:
        path.write_bytes(data)
        with pytest.raises(BackupError, match=says):
            restored(path, target)
        assert not Path(target.removeprefix("sqlite:///")).exists()

    refused(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :], "is not as it was when")
    refused(whole[: len(whole) // 2], "damaged|no backup")
    refused(b"", "no backup")
    refused(b"not a database at all, but long enough to look at" * 30, "no backup")
    with pytest.raises(BackupError, match="No such file"):
        restored(tmp_path / "none.db", target)
    with pytest.raises(BackupError, match="no backup; 'riverrun store backup FILE'"):
        restored(tmp_path / "s.db", target)


def test_a_damaged_store_is_backed_up_with_a_warning(tmp_path):
    bench = half_learned(f"sqlite:///{tmp_path}/s.db")
    with sqlite3.connect(tmp_path / "s.db") as db:
        db.execute("UPDATE checkpoint_parts SET data = x'00' WHERE part = 'model'")
        db.execute("UPDATE panes SET data = x'00' WHERE pane = 3")
    db.close()
    made = backed_up(bench.url, tmp_path / "b.db")
    assert any("'model' is damaged" in one for one in made.damaged)
    assert any("pane 3 of s is damaged: its data" in one for one in made.damaged)
    with opened_backup(tmp_path / "b.db") as (engine, _):
        assert damages(f"sqlite:///{engine.url.database}", None) == made.damaged


def test_an_older_store_is_backed_up_as_it_is_and_upgraded_when_it_is_restored(
    url, target, tmp_path
):
    bench = half_learned(f"sqlite:///{tmp_path}/today.db")
    make_old_store("2-first", url, bench.url)
    before = contents(url)
    assert backed_up(url, tmp_path / "b.db").version == 2
    assert contents(url) == before
    restored(tmp_path / "b.db", target)
    assert state_digest(over(bench, target).run().line) == state_digest(bench.run().line)


def test_a_newer_store_or_backup_is_refused(url, tmp_path):
    half_learned(url)
    engine = connect(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE riverrun SET value = '9' WHERE key = 'schema'")
    with pytest.raises(BackupError, match="knows 5 at most"):
        make_backup(engine, tmp_path / "b.db", None, now=0.0)
    assert list(tmp_path.glob("b.db*")) == []
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE riverrun SET value = '4' WHERE key = 'schema'")
    make_backup(engine, tmp_path / "b.db", None, now=0.0)
    engine.dispose()
    with sqlite3.connect(tmp_path / "b.db") as db:
        db.execute("UPDATE riverrun SET value = '9' WHERE key = 'schema'")
    db.close()
    with pytest.raises((BackupError, StoreVersionError)):
        restored(tmp_path / "b.db", f"sqlite:///{tmp_path}/t.db")


def test_an_empty_store_has_nothing_to_back_up_and_a_full_one_nothing_to_lose(url, tmp_path):
    with pytest.raises(BackupError, match="is empty"):
        backed_up(url, tmp_path / "b.db")
    engine = connect(url)
    upgrade(engine)
    engine.dispose()
    made = backed_up(url, tmp_path / "b.db")
    assert made.manifest.tables["checkpoints"][0] == 0
    assert (tmp_path / "b.db").stat().st_mode & 0o077 == 0
    with pytest.raises(BackupError, match="no backup was made"):
        backed_up(url, tmp_path / "none" / "b.db")
