"""Every threat of SECURITY.md has a defence and a test that exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
TABLE = PAGE.partition("### Threats, defences, tests")[2].partition("### What is left")[0]
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in TABLE.splitlines()
    if line.startswith("| ") and not line.startswith(("| threat", "| ---"))
]
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py::\w+)`", PAGE)))


def test_every_threat_has_a_defence_and_a_test():
    assert len(ROWS) > 20
    for row in ROWS:
        assert len(row) == 3, row
        assert all(row)
        assert re.search(r"`tests/[\w/]+\.py::test_\w+`", row[2]), row[0]


@pytest.mark.parametrize("named", NAMED)
def test_the_tests_that_it_names_exist(named):
    path, _, name = named.partition("::")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert name in functions


def test_every_door_of_a_pickle_stands_in_it():
    trials = ROOT / "tests" / "security" / "test_unpickling.py"
    for name in re.findall(r"^def (test_\w*hostile\w*)", trials.read_text(), re.MULTILINE):
        assert f"::{name}`" in PAGE, name
