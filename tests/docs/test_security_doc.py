"""The commands of docs/security.md leave with the codes that stand behind them."""

from __future__ import annotations

import shlex

import pytest
from typer.testing import CliRunner

from serve.api.auth.roles import Role
from serve.cli.app import app
from stream.load_config import build_config
from tests.docs.pages import STREAM, blocks_of, commands_of, read_page

PAGE = read_page("security.md")
COMMANDS = commands_of(PAGE)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def test_the_commands_do_what_stands_behind_them(folder):
    keys = next(block for block in blocks_of(PAGE, "toml") if "keys_file" in block)
    (folder / "riverrun.toml").write_text(STREAM + keys)
    assert COMMANDS
    for command, code in COMMANDS:
        result = CliRunner().invoke(app, shlex.split(command)[1:])
        assert result.exit_code == code, (command, result.output)


def test_every_table_of_the_page_is_a_configuration():
    import tomllib

    for block in blocks_of(PAGE, "toml"):
        tables = tomllib.loads(STREAM)
        for name, section in tomllib.loads(block).items():
            tables[name] = tables.get(name, {}) | section
        build_config(tables, "docs/security.md")


def test_the_page_names_every_role():
    for role in Role:
        assert f"| `{role.label}` |" in PAGE
