"""The pages of docs/, and what stands in their blocks."""

from __future__ import annotations

import re
from pathlib import Path

STREAM = """
[stream]
name = "s"
[event]
label = "y"
[model]
task = "binary"
pipeline = "linear_model.LogisticRegression()"
"""
"""A configuration with nothing but what has no default."""


def read_page(name: str) -> str:
    """Return a page of docs/ as text."""
    return (Path(__file__).parents[2] / "docs" / name).read_text(encoding="utf-8")


def blocks_of(text: str, language: str = "sh") -> list[str]:
    """Return the fenced blocks of one language."""
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def lines_of(text: str, language: str = "sh") -> list[str]:
    """Return the lines of those blocks."""
    return [line for block in blocks_of(text, language) for line in block.strip().splitlines()]


def commands_of(text: str) -> list[tuple[str, int]]:
    """Return a page's commands, each with the exit code that stands behind it."""
    parts = [line.rpartition("#") for line in lines_of(text)]
    return [(command.strip(), int(code)) for command, _, code in parts]
