"""The promises of the README are those that the fault tests wrote down, and each was kept."""

from __future__ import annotations

import re
from pathlib import Path

from tests.faults.promises import PROMISES, README, in_readme, read

ROOT = Path(__file__).parents[2]
FAULTS = ROOT / "tests" / "faults"
PAGE = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")


def names_in(path: Path) -> set[str]:
    """Return the names of the tests in a file."""
    found = re.findall(
        r"^(?:async )?def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE
    )
    return {f"{path.name}::{name}" for name in found}


def all_tests() -> set[str]:
    """Return every fault test by its file and name."""
    return {name for path in FAULTS.rglob("test_*.py") for name in names_in(path)}


def test_the_readme_has_the_figures_that_the_tests_wrote():
    text = README.read_text(encoding="utf-8")
    assert text == in_readme(text, read()), "run python -m tests.faults.promises"


def test_no_promise_was_broken_when_the_figures_were_written():
    figures = read()
    assert set(figures) <= set(PROMISES)
    for key, one in figures.items():
        assert one.faults == one.survived > 0, key
        assert (one.lost, one.twice) == (0, 0), key
        assert one.events > 0, key


def test_the_figures_are_of_tests_that_are_there():
    named = {name.removeprefix("tests/faults/") for one in read().values() for name in one.tests}
    assert named <= all_tests()


def test_the_page_of_faults_has_a_row_for_each_test_and_no_other():
    rows = [line for line in PAGE.splitlines() if line.startswith("|")]
    named = {name for row in rows for name in re.findall(r"`(test_\w+\.py::test_\w+)`", row)}
    assert named == all_tests()
