"""Real streams that lie beside the repository, for the tests that can use them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def shared_data(name: str) -> Path:
    """Return a file of the shared data folder, or skip; ``RIVERRUN_DATA`` names another folder."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    path = Path(os.environ.get("RIVERRUN_DATA") or beside) / name
    if not path.exists():
        pytest.skip(f"{path} is not there; set RIVERRUN_DATA to its folder")
    return path
