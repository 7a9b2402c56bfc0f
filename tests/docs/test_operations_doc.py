"""The commands of docs/operations.md do what the page says, one after another."""

from __future__ import annotations

import shlex

import pytest
from typer.testing import CliRunner

from serve.cli.app import app
from stream.storage.store import Store
from tests.docs.pages import STREAM, lines_of, read_page
from tests.stream.test_store import commit

PAGE = read_page("operations.md")
LINES = lines_of(PAGE, "console")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "riverrun.toml").write_text(STREAM)
    store = Store("sqlite:///riverrun.db", "s")
    commit(store, store.claim("elsewhere:1", 0.0), 1)
    store.close()
    return tmp_path


def test_the_commands_work_one_after_another(folder, monkeypatch):
    assert len(LINES) == 9
    for line in LINES:
        variable, _, command = line.rpartition("riverrun store")
        arguments = shlex.split(f"store {command}")
        monkeypatch.delenv("RIVERRUN_STREAM__STORE", raising=False)
        if variable or line == "riverrun store restore monday.db":  # an empty store
            name = "moved" if variable else "restored"
            monkeypatch.setenv("RIVERRUN_STREAM__STORE", f"sqlite:///{folder}/{name}.db")
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, (line, result.output)
    for name in ("riverrun", "moved", "restored"):
        store = Store(f"sqlite:///{folder}/{name}.db", "s")
        assert store.newest().number == 1
        store.close()


def test_the_page_names_what_a_person_meets():
    for said in ("stream.store_patience", "leaves with 4", "--check", "--force", "store_restore"):
        assert said in PAGE, said
