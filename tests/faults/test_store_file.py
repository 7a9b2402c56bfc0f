"""A SQLite store locked, full, read-only, exchanged, deleted and cut short: nothing goes wrong."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from stream.storage.audit import Actor
from stream.storage.backup import make_backup
from stream.storage.backup_file import opened_backup
from stream.storage.connect import connect
from stream.storage.restore import restore_backup
from tests.conftest import real_thing
from tests.faults.patient import PatientScene

pytestmark = pytest.mark.promise("learned_once", "store_lost")

EVENTS = 900


@pytest.fixture
def scene(tmp_path, record) -> PatientScene:
    """Return a produced stream with log and store in a folder."""
    folder = tmp_path / "store"
    folder.mkdir()
    return PatientScene(
        f"sqlite:///{tmp_path}/log.db",
        f"sqlite:///{folder}/store.db",
        tmp_path,
        record,
        events=EVENTS,
    )


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Callable[[int], Path]]:
    """Return what mounts a small disk; without the right to mount, skip, and fail in CI."""
    mounted = []

    def mount(megabytes: int) -> Path:
        folder = tmp_path / f"disk{len(mounted)}"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", folder]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            real_thing(error)
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", folder], check=True)


def path_of(scene: PatientScene) -> Path:
    return Path(scene.store_url.removeprefix("sqlite:///"))


def fill(folder: Path) -> Path:
    """Use up what is free on a disk; return the file that does it."""
    ballast = folder / "ballast"
    with ballast.open("ab", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
    return ballast


def backup(scene: PatientScene, path: Path) -> Path:
    """Take a backup of a scene's store, whoever writes it."""
    engine = connect(scene.store_url)
    made = make_backup(engine, path, None, now=time.time())
    engine.dispose()
    assert made.damaged == []
    return path


def restore(scene: PatientScene, path: Path) -> None:
    """Restore a backup where no store is."""
    engine = connect(scene.store_url)
    with opened_backup(path) as (found, manifest):
        restore_backup(found, manifest, engine, force=False, actor=Actor("t"), now=time.time())
    engine.dispose()


def move_away(scene: PatientScene) -> None:
    """Remove a store's files, the write-ahead log too."""
    for path in path_of(scene).parent.glob(f"{path_of(scene).name}*"):
        path.unlink()


def goes_on(scene: PatientScene) -> None:
    """Start a worker again, and compare what it comes to."""
    code, said = scene.run()
    assert code == 0, said
    scene.assert_same_as_uninterrupted()


def test_a_file_that_another_process_writes_for_long(scene, record):
    worker = scene.start(slow=0.5, busy=0.3)
    scene.wait_for_commits(worker)
    with closing(sqlite3.connect(path_of(scene), isolation_level=None, timeout=60)) as other:
        other.execute("BEGIN IMMEDIATE")
        record.fault()
        scene.wait(worker, lambda: scene.outages(worker))
        other.execute("ROLLBACK")
    assert "Another process held it for more than" in scene.outages(worker)[0]
    code, said = scene.end(worker)
    assert code == 0, said
    scene.assert_same_as_uninterrupted()


def test_a_file_that_is_held_longer_than_patience(scene, record):
    worker = scene.start(slow=0.5, busy=0.3, patience=500)
    scene.wait_for_commits(worker)
    with closing(sqlite3.connect(path_of(scene), isolation_level=None, timeout=60)) as other:
        other.execute("BEGIN IMMEDIATE")
        record.fault()
        code, said = scene.end(worker)
        other.execute("ROLLBACK")
    assert (code, "database is locked" in said) == (3, True), said
    goes_on(scene)


@pytest.mark.promise("resources_run_out")
def test_a_disk_that_is_full_and_has_room_again(small_disk, tmp_path, record):
    folder = small_disk(16)
    scene = PatientScene(
        f"sqlite:///{tmp_path}/log.db",
        f"sqlite:///{folder}/store.db",
        tmp_path,
        record,
        events=EVENTS,
    )
    worker = scene.start(slow=0.5)
    for number in range(2):
        scene.wait_for_commits(worker)
        ballast = fill(folder)
        record.fault()
        scene.wait(worker, lambda seen=number: len(scene.outages(worker)) > seen)
        ballast.unlink()
    assert all("Free some space" in reason for reason in scene.outages(worker))
    code, said = scene.end(worker)
    assert code == 0, said
    scene.assert_same_as_uninterrupted()


@pytest.mark.promise("resources_run_out")
def test_a_disk_of_the_embedded_log_that_is_full(small_disk, tmp_path, record):
    folder = small_disk(16)
    scene = PatientScene(
        f"sqlite:///{folder}/log.db",
        f"sqlite:///{tmp_path}/store.db",
        tmp_path,
        record,
        events=EVENTS,
    )
    worker = scene.start(slow=0.5)
    scene.wait_for_commits(worker)
    ballast = fill(folder)
    record.fault()
    code, said = scene.end(worker)
    assert code == 3, said
    assert "the disk is full: free some space" in said
    ballast.unlink()
    goes_on(scene)


def test_a_disk_that_is_read_only_when_the_worker_starts(small_disk, tmp_path, record):
    folder = small_disk(16)
    scene = PatientScene(
        f"sqlite:///{tmp_path}/log.db",
        f"sqlite:///{folder}/store.db",
        tmp_path,
        record,
        events=EVENTS,
    )
    worker = scene.start(slow=0.5)
    scene.wait_for_commits(worker)
    worker.kill()
    worker.join(60)
    subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
    record.fault()
    code, said = scene.run()
    assert code == 3, said
    assert "can be written" in said
    subprocess.run(["mount", "-o", "remount,rw", folder], check=True)
    goes_on(scene)


def test_a_file_that_is_replaced_under_the_worker(scene, tmp_path, record):
    worker = scene.start(slow=0.5)
    scene.wait_for_commits(worker)
    older = backup(scene, tmp_path / "older.db")
    scene.wait_for_commits(worker)
    shutil.copy(older, path_of(scene).parent / "new.db")
    os.kill(worker.pid, 19)  # SIGSTOP: what is copied in is whole
    for end in ("-wal", "-shm"):
        Path(f"{path_of(scene)}{end}").unlink()
    (path_of(scene).parent / "new.db").replace(path_of(scene))
    os.kill(worker.pid, 18)
    record.fault()
    code, said = scene.end(worker)
    assert (code, "was replaced by another file" in said) == (4, True), said
    goes_on(scene)


def test_a_file_that_is_deleted_under_the_worker(scene, tmp_path, record):
    worker = scene.start(slow=0.5)
    scene.wait_for_commits(worker)
    kept = backup(scene, tmp_path / "kept.db")
    move_away(scene)
    record.fault()
    code, said = scene.end(worker)
    assert (code, "was deleted" in said) == (4, True), said
    assert "riverrun store restore FILE" in said
    assert not path_of(scene).exists(), "nobody makes an empty store in its place"
    restore(scene, kept)
    goes_on(scene)


@pytest.mark.parametrize("share", [0.5, 0.1])
def test_a_file_that_is_cut_short(scene, tmp_path, record, share):
    worker = scene.start(slow=0.5)
    scene.wait_for_commits(worker)
    kept = backup(scene, tmp_path / "kept.db")
    scene.wait_for_commits(worker)
    worker.kill()
    worker.join(60)
    with closing(sqlite3.connect(path_of(scene))) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    path = path_of(scene)
    os.truncate(path, int(path.stat().st_size * share) // 4096 * 4096)
    record.fault()
    code, said = scene.run()
    assert code == 3, said
    assert "restore a backup" in said
    move_away(scene)
    restore(scene, kept)
    goes_on(scene)
