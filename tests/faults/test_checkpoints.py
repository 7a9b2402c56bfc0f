"""Checkpoints that are damaged, cut, exchanged, signed by others, or of other code."""

from __future__ import annotations

import json
import signal
import sqlite3
from contextlib import closing

import pytest

from tests.faults.scene import Scene

pytestmark = pytest.mark.promise("checkpoints_whole")


@pytest.fixture
def scene(tmp_path, record):
    """Return a stream whose worker was killed in the middle, with three checkpoints kept."""
    broker, store = f"sqlite:///{tmp_path / 'log.db'}", f"sqlite:///{tmp_path / 'store.db'}"
    scene = Scene(broker, store, tmp_path, record, events=1_200)
    assert scene.run(step="after_commit", times=12)[0] == -signal.SIGKILL
    return scene


def change(scene, statement, *values):
    """Change the store's file behind everybody's back."""
    with closing(sqlite3.connect(scene.store_url.removeprefix("sqlite:///"))) as file:
        count = file.execute(statement, values).rowcount
        file.commit()
    scene.record.fault()
    return count


def spoil(scene, part, number, new):
    """Exchange the bytes of a part of a checkpoint, by what a function makes of them."""
    with closing(sqlite3.connect(scene.store_url.removeprefix("sqlite:///"))) as file:
        mine = "stream = ? AND part = ? AND number <= ?"
        query = f"SELECT number, data FROM checkpoint_parts WHERE {mine} ORDER BY number DESC"
        found, data = file.execute(query, (scene.name, part, number)).fetchone()
    where = "stream = ? AND part = ? AND number = ?"
    changed = change(
        scene,
        f"UPDATE checkpoint_parts SET data = ? WHERE {where}",
        new(bytes(data)),
        scene.name,
        part,
        found,
    )
    assert changed == 1


def flip(data):
    """Return bytes with one bit turned in the middle."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def parts(scene):
    """Return the parts that the newest checkpoint wrote, and its number."""
    store = scene.store()
    number = store.newest().number
    store.close()
    with closing(sqlite3.connect(scene.store_url.removeprefix("sqlite:///"))) as file:
        query = "SELECT DISTINCT part FROM checkpoint_parts WHERE number = ? ORDER BY part"
        return [row[0] for row in file.execute(query, (number,))], number


def told(scene):
    """Return what a person finds afterwards, by kind."""
    with closing(sqlite3.connect(scene.store_url.removeprefix("sqlite:///"))) as file:
        rows = file.execute("SELECT kind, detail FROM happenings ORDER BY id").fetchall()
    return {kind: json.loads(detail) for kind, detail in rows}


@pytest.mark.parametrize("new", [flip, lambda data: data[:-1], lambda data: b""],
                         ids=["flipped", "cut", "empty"])  # fmt: skip
def test_the_one_before_a_damaged_checkpoint_is_used(scene, new):
    names, number = parts(scene)
    assert "manifest" in names
    for name in names:
        spoil(scene, name, number, new)
    code, errors = scene.run()
    assert code == 0, errors
    found = told(scene)
    assert found["checkpoint_damaged"]["checkpoint"] == number
    assert found["went_back"] == {"checkpoint": number - 1, "newest": number}
    scene.assert_same_as_uninterrupted()


def test_any_one_flipped_byte_is_noticed(scene):
    for name in parts(scene)[0]:
        _, number = parts(scene)
        spoil(scene, name, number, flip)
        assert scene.run(step="after_commit", times=2)[0] == -signal.SIGKILL, name
        assert told(scene)["checkpoint_damaged"]["checkpoint"] == number
    assert scene.run()[0] == 0
    scene.assert_same_as_uninterrupted()


def test_where_none_is_whole_it_says_so_and_learns_anew_when_told(scene):
    change(scene, "UPDATE checkpoint_parts SET data = substr(data, 2)")
    code, errors = scene.run()
    assert code == 4
    assert "none of the 3 kept checkpoints is whole. Start with --rebuild" in errors
    code, errors = scene.run(rebuild=True)
    assert code == 0, errors
    assert told(scene)["rebuild"]["version"] == "v2"
    scene.assert_learned_anew("v2")


def test_another_river_is_learned_anew_by_itself(scene):
    libraries = json.dumps({"river": "0.21.0", "python": "3.11.7"})
    change(scene, "UPDATE checkpoints SET libraries = ?", libraries)
    code, errors = scene.run()
    assert code == 0, errors
    assert told(scene)["rebuild"]["reason"].startswith("River 0.21.0 became ")
    scene.assert_learned_anew("v2")


def test_another_pipeline_is_refused_until_the_old_one_is_back(scene):
    before = scene.store()
    newest = before.newest()
    ours = scene.sections["model"]
    scene.sections["model"] = ours | {"factory": "tests.faults.ledger:other"}
    scene.record.fault()
    code, errors = scene.run()
    assert code == 4
    assert "learned with another pipeline" in errors
    assert "Put the old configuration back" in errors
    assert before.newest() == newest
    before.close()
    scene.sections["model"] = ours
    assert scene.run()[0] == 0
    scene.assert_same_as_uninterrupted()


def test_another_key_is_refused_and_nothing_is_unpickled(tmp_path, record):
    broker, store = f"sqlite:///{tmp_path / 'log.db'}", f"sqlite:///{tmp_path / 'store.db'}"
    scene = Scene(broker, store, tmp_path, record, events=600)
    signed = {"secret": b"the right one"}
    assert scene.run(step="after_commit", times=8, **signed)[0] == -signal.SIGKILL
    for secret in (b"another one", b"yet another"):
        code, errors = scene.run(secret=secret)
        assert code == 4
        assert "signed with" in errors
        record.fault()
    code, errors = scene.run(**signed)
    assert code == 0, errors
    scene.assert_same_as_uninterrupted(secret=b"the right one")
