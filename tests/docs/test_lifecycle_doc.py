"""The commands of docs/lifecycle.md leave with the codes that stand behind them."""

from __future__ import annotations

import shlex

import pytest

from serve.cli.app import EXAMPLES
from stream.model_card import BLOCKS
from stream.sections import RetrainSection
from stream.versions import State
from tests.cli.test_models import Stream, made
from tests.docs.pages import commands_of, read_page

__all__ = ["made"]

PAGE = read_page("lifecycle.md")
COMMANDS = commands_of(PAGE)


@pytest.mark.timeout(200)
def test_every_command_leaves_with_the_code_behind_it(made: Stream):
    assert len(COMMANDS) >= 15
    with made.worker():
        for command, code in COMMANDS:
            program, *arguments = shlex.split(command)
            assert program == "riverrun"
            found, out, err = made.run(*arguments)
            assert found == code, (command, out, err)


def test_every_command_and_key_is_explained():
    for lines in EXAMPLES.values():
        words = lines[0].split()
        if words[1] == "models":
            assert f"riverrun models {words[2]}" in PAGE or f"`models {words[2]}`" in PAGE
    for key in ("drift", "skew", "performance", "change", "labels", "schedule", "max_per_day",
                "window", "level", "margin", "min_labels", "max_labels", "rung", "probation",
                "max_loss"):  # fmt: skip
        assert key in RetrainSection.model_fields
        assert f"`retrain.{key}`" in PAGE, key
    for key in BLOCKS:
        assert f"`{key}`" in PAGE
    for state in State.__args__:
        assert state.replace("_", " ") in PAGE
