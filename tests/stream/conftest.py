"""Fixtures of the stream's tests."""

from __future__ import annotations

import csv
import gzip
import os
from pathlib import Path

import pytest


def shared_data(name: str) -> Path:
    """Return a file of the shared data folder, or skip."""
    folder = os.environ.get("RIVERRUN_DATA")
    root = Path(folder) if folder else Path(__file__).parents[3] / "shared" / "data"
    if not (root / name).exists():
        pytest.skip(f"{name} is not in {root}")
    return root / name


@pytest.fixture(scope="session")
def elec2() -> list[dict[str, str]]:
    """Return the rows of Elec2."""
    with gzip.open(shared_data("elec2.csv.gz"), "rt") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    """Return the URL of an empty store."""
    return f"sqlite:///{tmp_path / 'store.db'}"
