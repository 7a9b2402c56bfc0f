"""The commands of docs/dead-letters.md leave with the codes that stand behind them."""

from __future__ import annotations

import re
import shlex
from typing import get_args

import pytest
from typer.testing import CliRunner

from serve.cli.app import EXAMPLES, app
from serve.cli.dead_letters_replay import dead_letters_replay
from stream.dead_letters.revival import SKIPPED, Reason
from stream.logs.open_log import open_log
from stream.records import NewRecord
from tests.docs.pages import commands_of, read_page

PAGE = read_page("dead-letters.md")
COMMANDS = commands_of(PAGE)
CONFIG = """
[stream]
name = "s"
[event]
label = "y"
{limit}
[model]
task = "binary"
pipeline = "linear_model.LogisticRegression()"
[dead_letters]
max_share = 1.0
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Go to a folder with a stream whose limit was raised after it had rejected events."""
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "riverrun.toml"
    config.write_text(CONFIG.format(limit="max_bytes = 30"))
    log = open_log("sqlite:///log.db")
    log.sink().append([NewRecord("s.events", None, b'{"x": %s1, "y": 1}' % (b" " * n))
                       for n in (0, 40, 50, 60, 70)])  # fmt: skip
    log.close()
    result = CliRunner().invoke(app, ["worker", "--until-caught-up"])
    assert result.exit_code == 0
    config.write_text(CONFIG.format(limit=""))
    return tmp_path


def test_every_command_leaves_with_the_code_behind_it(folder):
    assert len(COMMANDS) >= 10
    said = []
    for command, code in COMMANDS:
        program, *arguments = shlex.split(command)
        assert program == "riverrun"
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == code, (command, result.output)
        said.append(result.output)
    assert "1 of 1 dead letter replayed" in said[8]
    assert '"replayed": 3' in said[9]
    assert "0 of 2 dead letters replayed\n  skipped 2: they were replayed before" in said[10]


def test_every_reason_to_skip_is_explained():
    assert set(get_args(Reason)) == set(SKIPPED)
    for reason in SKIPPED:
        assert re.search(rf"^\| `{reason}` \| .+ \|$", PAGE, re.MULTILINE), reason


def test_every_option_is_explained():
    for command in ("list", "show", "replay"):
        shown = CliRunner().invoke(app, ["dead-letters", command, "--help"]).stdout
        for option in set(re.findall(r"--[a-z][a-z-]+", shown)) - {"--help"}:
            assert f"`{option}" in PAGE or f"{option} " in PAGE, option


def test_the_examples_of_the_help_are_in_the_table():
    assert all(line.startswith("riverrun dead-letters") for line in EXAMPLES[dead_letters_replay])
