"""The page about shared models says what was measured, and the measurement still runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.sharing import Stream, document, measure

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_is_made_of_the_results():
    table = json.loads((DOCS / "sharing.json").read_text())
    assert (DOCS / "sharing.md").read_text() == document(table)
    assert {row["stream"] for row in table} == {"elec2", "NOAA weather", "bicycles", "flights"}


def test_averaging_every_event_counts_as_one_model_does():
    rows = [({"a": float(n % 7), "b": float(n % 3)}, n % 7 > 3) for n in range(300)]
    stream = Stream("made", "binary", rows, {})
    found = measure(stream, "naive_bayes.GaussianNB()", intervals=(1,))
    assert found["averaged, 1"] == pytest.approx(found["single"], abs=1e-4)
    assert found["averaged, 1"] < found["independent"]
