"""``riverrun store``: versions and upgrades, as a person asks for them."""

from __future__ import annotations

import json
import sqlite3

import pytest

from stream.storage.store import Store
from stream.storage.tables import SCHEMA_VERSION
from tests.stream.old_stores import make_old_store
from tests.stream.test_store import commit


@pytest.fixture
def old_url(config, url, tmp_path, monkeypatch) -> str:
    """Return the URL of a store of version 2, which the configuration names."""
    like = f"sqlite:///{tmp_path / 'like.db'}"
    Store(like, "s").close()
    make_old_store("2", url, like)
    monkeypatch.setenv("RIVERRUN_STREAM__STORE", url)
    return url


def test_the_version_is_told_and_looking_changes_nothing(old_url, invoke):
    for _ in range(2):
        result = invoke("store", "version", "--json")
        assert result.exit_code == 1
        assert json.loads(result.stdout) == {
            "store": 2,
            "riverrun": SCHEMA_VERSION,
            "fits": False,
        }
    assert "run 'riverrun store upgrade'" in invoke("store", "version").stdout


def test_an_upgrade_is_done_once(old_url, invoke):
    assert "from version 2 to" in invoke("store", "upgrade").stderr
    again = invoke("store", "upgrade", "--json")
    assert json.loads(again.stdout) == {
        "found": SCHEMA_VERSION,
        "store": SCHEMA_VERSION,
        "upgraded": False,
    }
    result = invoke("store", "version")
    assert result.exit_code == 0
    assert "as this riverrun needs" in result.stdout


def test_an_empty_store_gets_its_tables_and_a_look_makes_no_file(config, here, invoke):
    result = invoke("store", "version")
    assert (result.exit_code, "no tables yet" in result.stdout) == (1, True)
    assert not (here / "riverrun.db").exists()
    assert "created the tables" in invoke("store", "upgrade").stderr
    assert invoke("store", "version").exit_code == 0
    assert "nothing to do" in invoke("store", "upgrade").stderr


def test_a_command_on_an_old_store_of_a_server_says_what_to_do(old_url, invoke):
    if old_url.startswith("sqlite"):
        pytest.skip("files are upgraded when they are opened")
    result = invoke("status")
    assert result.exit_code == 4
    assert "riverrun store upgrade" in result.stderr


def test_a_newer_store_is_refused_by_every_command(config, here, invoke):
    invoke("store", "upgrade")
    with sqlite3.connect(here / "riverrun.db") as db:
        db.execute("UPDATE riverrun SET value = '99' WHERE key = 'schema'")
    db.close()
    for command in (["store", "upgrade"], ["status"], ["worker"], ["api"]):
        result = invoke(*command)
        assert result.exit_code == 4, command
        assert "knows 5 at most" in result.stderr
    assert json.loads(invoke("store", "version", "--json").stdout)["store"] == 99


def test_a_store_is_backed_up_checked_and_restored(config, here, invoke, url, monkeypatch):
    invoke("store", "upgrade")
    assert "bytes" in invoke("store", "backup", "monday.db").stderr
    again = invoke("store", "backup", "monday.db")
    assert (again.exit_code, "--force" in again.stderr) == (2, True)
    made = json.loads(invoke("store", "backup", "monday.db", "--force", "--json").stdout)
    assert (made["file"], made["damaged"], made["rows"]["checkpoints"]) == ("monday.db", [], 0)
    checked = invoke("store", "restore", "monday.db", "--check")
    assert (checked.exit_code, "is whole" in checked.stderr) == (0, True)
    monkeypatch.setenv("RIVERRUN_STREAM__STORE", url)
    told = json.loads(invoke("store", "restore", "monday.db", "--json").stdout)
    assert (told["restored"], told["checkpoints"]) == (True, {})
    assert invoke("store", "version").exit_code == 0


def test_what_cannot_be_backed_up_or_restored_is_said_in_a_line(config, here, invoke):
    result = invoke("store", "backup", "monday.db")
    assert (result.exit_code, "there is no store" in result.stderr) == (2, True)
    assert not (here / "riverrun.db").exists()
    result = invoke("store", "restore", "monday.db")
    assert (result.exit_code, "No such file" in result.stderr) == (2, True)
    (here / "notes.txt").write_text("notes")
    result = invoke("store", "restore", "notes.txt")
    assert (result.exit_code, "no backup" in result.stderr) == (2, True)
    assert not (here / "riverrun.db").exists()


def test_a_backup_that_another_secret_signed_is_not_restored(config, here, invoke, monkeypatch):
    url = f"sqlite:///{here / 'riverrun.db'}"
    signed = Store(url, "s", secret=b"right")
    commit(signed, signed.claim("elsewhere:1", 0.0), 1)
    signed.close()
    monkeypatch.setenv("RIVERRUN_SECRET", "right")
    assert invoke("store", "backup", "monday.db").exit_code == 0
    monkeypatch.setenv("RIVERRUN_STREAM__STORE", f"sqlite:///{here / 'new.db'}")
    monkeypatch.setenv("RIVERRUN_SECRET", "wrong")
    result = invoke("store", "restore", "monday.db")
    assert (result.exit_code, "RIVERRUN_SECRET" in result.stderr) == (2, True)
    assert invoke("store", "restore", "monday.db", "--check").exit_code == 1
    monkeypatch.setenv("RIVERRUN_SECRET", "right")
    assert "s at checkpoint 1" in invoke("store", "restore", "monday.db").stderr
