"""The promises of the README are those that the fault tests wrote down, and each was kept."""

from __future__ import annotations

import re
from pathlib import Path

from tests.faults.promises import PROMISES, README, by_promise, in_readme, names_in, read

ROOT = Path(__file__).parents[2]
FAULTS = ROOT / "tests" / "faults"
PAGE = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")


def test_the_readme_has_the_figures_that_the_tests_wrote():
    text = README.read_text(encoding="utf-8")
    assert text == in_readme(text, read()), "run python -m tests.faults.promises"


def test_no_promise_was_broken_when_the_figures_were_written():
    for name, tested in read().items():
        figures = tested.figures
        assert set(tested.promises) <= set(PROMISES), name
        assert figures.faults == figures.survived > 0, name
        assert (figures.lost, figures.twice) == (0, 0), name
    assert all(row.figures.events for row in by_promise(read()).values())


def test_the_figures_are_of_tests_that_are_there():
    assert set(read()) <= names_in(FAULTS)


def test_the_page_of_faults_has_a_row_for_each_test_and_no_other():
    rows = [line for line in PAGE.splitlines() if line.startswith("|")]
    named = {name for row in rows for name in re.findall(r"`(test_\w+\.py::test_\w+)`", row)}
    assert named == names_in(FAULTS)
