"""The store keeps whole checkpoints, notices damage, and obeys the newest writer only."""

from __future__ import annotations

import multiprocessing
import sqlite3
from typing import Any

import pytest

import stream.storage.runs as runs_module
from stream.checkpoint import ChunkWrite, Snapshot
from stream.errors import (
    CheckpointDamagedError,
    ConfigError,
    FencedError,
    StoreUnreachableError,
)
from stream.lifecycle.run import KeptModel, RunChange
from stream.storage.older_status import completed
from stream.storage.store import Identity, Store

IDENTITY = Identity("f", 1, {"river": "0"})


def commit(store, claim, number, chunks=None, version="v1", data=b"model", replace=False, keep=3):
    snapshot = Snapshot({"t-0": number * 10}, version, {"model": data}, chunks or {})
    store.commit(
        claim,
        number,
        snapshot,
        status={"n": number},
        identity=IDENTITY,
        reason="test",
        now=float(number),
        keep=keep,
        replace=replace,
    )


def test_the_newest_checkpoint_is_read_back(url):
    store = Store(url, "s")
    claim = store.claim("me", 0.0)
    commit(store, claim, 1, {"k": ChunkWrite(b"one", 1)})
    commit(store, claim, 2, {"k": ChunkWrite(b"two", 1)})
    newest = store.newest()
    assert (newest.number, newest.offsets) == (2, {"t-0": 20})
    assert newest.status == completed({"n": 2}, "v1")
    snapshot, chunks = store.load(newest)
    assert snapshot.parts == {"model": b"model"}
    assert chunks == {"k": [(1, b"one"), (2, b"two")]}
    assert store.load_part(newest, "model") == b"model"
    assert store.load_part(newest, "other") is None
    assert [row["version"] for row in store.versions()] == ["v1"]


def test_each_kept_checkpoint_has_the_chunks_of_its_time(url):
    store = Store(url, "s")
    claim = store.claim("me", 0.0)
    for number in range(1, 6):
        commit(store, claim, number, {"k": ChunkWrite(b"%d" % number, number - 1)})
    kept = store.checkpoints()
    assert [stored.number for stored in kept] == [5, 4, 3]
    for stored in kept:
        numbers = [n for n, _ in store.load(stored)[1]["k"]]
        assert numbers == [stored.number - 1, stored.number]


def test_going_back_forgets_what_came_after(url):
    store = Store(url, "s")
    claim = store.claim("me", 0.0)
    for number in (1, 2, 3):
        commit(store, claim, number, {"k": ChunkWrite(b"%d" % number, number)})
    store.go_back_to(claim, 2)
    assert store.newest().number == 2
    assert store.load(store.newest())[1] == {"k": [(2, b"2")]}
    assert store.claim("me", 0.0).last_number == 3


def test_a_state_that_does_not_continue_replaces_everything(url):
    store = Store(url, "s")
    claim = store.claim("me", 0.0)
    commit(store, claim, 1, {"k": ChunkWrite(b"old", 1)})
    commit(store, claim, 2, {"k": ChunkWrite(b"new", 1)}, version="v2", replace=True)
    assert [stored.number for stored in store.checkpoints()] == [2]
    assert store.load(store.newest())[1] == {"k": [(2, b"new")]}


def test_an_older_writer_is_fenced_and_changes_nothing(url):
    store, other = Store(url, "s"), Store(url, "s")
    old = store.claim("old", 0.0)
    commit(store, old, 1)
    new = other.claim("new", 1.0)
    assert new.epoch == old.epoch + 1
    with pytest.raises(FencedError, match="took over"):
        commit(store, old, 2)
    with pytest.raises(FencedError):
        store.check_epoch(old)
    with pytest.raises(FencedError):
        store.go_back_to(old, 0)
    assert other.newest().number == 1
    commit(other, new, 2)


def test_streams_do_not_see_each_other(url):
    a, b = Store(url, "a"), Store(url, "b")
    commit(a, a.claim("me", 0.0), 1)
    assert b.newest() is None
    commit(b, b.claim("me", 0.0), 1)
    b.go_back_to(b.claim("me", 0.0), 0)
    assert a.newest().number == 1


def test_a_failed_commit_leaves_nothing(url):
    store = Store(url, "s")
    claim = store.claim("me", 0.0)
    commit(store, claim, 1)
    with pytest.raises(StoreUnreachableError):
        commit(store, claim, 1)
    assert store.load(store.newest())[0].parts == {"model": b"model"}


def damage(path, statement, *values):
    with sqlite3.connect(path) as db:
        db.execute(statement, values)
    db.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE checkpoint_parts SET data = x'00' WHERE part = 'model'",
        "UPDATE checkpoint_parts SET data = substr(data, 1, 2) WHERE part = 'model'",
        "UPDATE checkpoint_chunks SET data = x'00'",
        "DELETE FROM checkpoint_chunks",
        "DELETE FROM checkpoint_parts WHERE part = 'model'",
        "DELETE FROM checkpoint_parts",
        "UPDATE checkpoints SET offsets = '{\"t-0\": 999}'",
        "UPDATE checkpoints SET version = 'v9'",
    ],
)
def test_damage_is_noticed(tmp_path, statement):
    path = tmp_path / "s.db"
    store = Store(f"sqlite:///{path}", "s")
    commit(store, store.claim("me", 0.0), 1, {"k": ChunkWrite(b"one", 1)})
    damage(path, statement)
    with pytest.raises(CheckpointDamagedError):
        store.load(store.newest())


def test_a_blob_that_was_moved_is_noticed(tmp_path):
    path = tmp_path / "s.db"
    store = Store(f"sqlite:///{path}", "s")
    claim = store.claim("me", 0.0)
    commit(store, claim, 1, data=b"first")
    commit(store, claim, 2, data=b"second")
    damage(
        path,
        "UPDATE checkpoint_parts SET (data, seal) = (SELECT data, seal FROM checkpoint_parts "
        "WHERE number = 1 AND part = 'model') WHERE number = 2 AND part = 'model'",
    )
    with pytest.raises(CheckpointDamagedError):
        store.load_part(store.newest(), "model")


def test_with_a_secret_only_its_own_signature_is_accepted(url):
    store = Store(url, "s", secret=b"right")
    commit(store, store.claim("me", 0.0), 1)
    assert store.load(store.newest())[0].parts["model"] == b"model"
    assert Store(url, "s").load(store.newest())[0].parts["model"] == b"model"
    with pytest.raises(CheckpointDamagedError, match="RIVERRUN_SECRET"):
        Store(url, "s", secret=b"wrong").load(store.newest())
    unsigned = Store(url, "s")
    commit(unsigned, unsigned.claim("me", 0.0), 2)
    with pytest.raises(CheckpointDamagedError, match="RIVERRUN_SECRET"):
        store.load(store.newest())


def test_happenings_are_found_newest_first(url):
    store = Store(url, "s")
    store.record("gap", {"n": 1}, 1.0)
    store.record("gap", {"n": 2}, 2.0)
    assert [h["detail"]["n"] for h in store.happenings()] == [2, 1]


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        ("mysql://h/d", ConfigError, "sqlite:///FILE"),
        ("nonsense", ConfigError, "sqlite:///FILE"),
        ("sqlite:////proc/none/s.db", StoreUnreachableError, "does not exist"),
        ("postgresql+psycopg://u:hush@127.0.0.1:1/d", StoreUnreachableError, "refused"),
    ],
)
def test_a_store_that_cannot_be_opened_says_what_to_do(bad, error, message):
    with pytest.raises(error, match=message) as caught:
        Store(bad, "s")
    assert "hush" not in str(caught.value)


def test_a_file_that_is_no_database_is_not_touched(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("not a database at all, just some text that is long enough" * 20)
    before = path.read_bytes()
    with pytest.raises(StoreUnreachableError, match="not a database"):
        Store(f"sqlite:///{path}", "s")
    assert path.read_bytes() == before


def _open(url: str, together: Any) -> None:
    together.wait(60)
    Store(url, "shop").close()


def test_many_processes_open_a_store_that_is_not_there_yet(url):
    processes = multiprocessing.get_context("forkserver")
    together = processes.Barrier(5)
    started = [processes.Process(target=_open, args=(url, together)) for _ in range(5)]
    for process in started:
        process.start()
    for process in started:
        process.join(120)
    assert [process.exitcode for process in started] == [0] * 5


def test_what_happened_to_old_runs_is_forgotten_but_of_models_that_served(url, monkeypatch):
    monkeypatch.setattr(runs_module, "KEPT_RUNS", 3)
    store = Store(url, "s")
    claim = store.claim("me", 0.0)
    for number in range(1, 11):
        version = f"v{number + 1}"
        states = ("training", "promoted" if number == 2 else "rejected")
        changes = [RunChange(number, version, state, 0, "why", {}) for state in states]
        if number == 1:
            changes.append(RunChange(0, "v1", "imported", 0, "by hand", {}))
        kept = [KeptModel(version, "promoted", b"model")] if number == 2 else []
        snapshot = Snapshot(
            {"t-0": number}, "v1", {"model": b"m"}, {}, run_changes=changes, models=kept
        )
        store.commit(
            claim, number, snapshot, status={}, identity=IDENTITY, reason="test", now=0.0, keep=3,
            replace=False,
        )  # fmt: skip
    found = [(row["run"], row["state"]) for row in store.runs.changes(limit=None)]
    assert {run for run, _ in found} == {0, 2, 8, 9, 10}
    assert (2, "promoted") in found
    assert store.runs.last() == (10, 11)


def _claim(url: str, together: Any, epochs: Any) -> None:
    store = Store(url, "shop")
    together.wait(60)
    for _ in range(5):
        epochs.put(store.claim("me", 0.0).epoch)
    store.close()


def test_of_many_that_claim_at_once_each_has_an_epoch_of_its_own(url):
    processes = multiprocessing.get_context("forkserver")
    together, epochs = processes.Barrier(4), processes.Queue()
    started = [processes.Process(target=_claim, args=(url, together, epochs)) for _ in range(4)]
    for process in started:
        process.start()
    found = sorted(epochs.get(timeout=120) for _ in range(20))
    for process in started:
        process.join(120)
    assert [process.exitcode for process in started] == [0] * 4
    assert found == list(range(1, 21))
