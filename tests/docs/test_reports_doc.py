"""The commands of docs/reports.md do what it says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.cli.conftest import here, invoke  # noqa: F401
from tests.cli.watched import rows, write_stream
from tests.docs.pages import commands_of, read_page

PAGE = read_page("reports.md")


@pytest.fixture
def stream(here, invoke, monkeypatch):  # noqa: F811
    monkeypatch.setenv("RIVERRUN_RETRAIN__ENABLED", "false")
    write_stream(here)
    assert invoke("produce", "-", stdin=rows(0, 4_000)).exit_code == 0
    assert invoke("worker", "--until-caught-up").exit_code == 0


def test_every_command_leaves_with_the_code_behind_it(stream, invoke):  # noqa: F811
    commands = commands_of(PAGE)
    assert len(commands) == 4
    for command, code in commands:
        result = invoke(*shlex.split(command)[1:])
        assert result.exit_code == code, (command, result.stderr)


def test_every_section_of_the_page_is_explained():
    template = (Path(__file__).parents[2] / "serve" / "report" / "page.html").read_text()
    for title in re.findall(r'<h2 id="\w+">([^<]+)</h2>', template):
        assert f"| {title.removesuffix(' of the schema')} |" in PAGE, title
