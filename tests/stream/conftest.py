"""Fixtures of the stream's tests."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator

import pytest

import stream.storage.store
from tests.shared_data import shared_data


@pytest.fixture(scope="session")
def elec2() -> list[dict[str, str]]:
    """Return the rows of Elec2."""
    with gzip.open(shared_data("elec2.csv.gz"), "rt") as file:
        return list(csv.DictReader(file))


@pytest.fixture(autouse=True)
def _stores_are_closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let go of every store that a test opened."""
    engines = []
    opened = stream.storage.store.open_database

    def remembering(url: str) -> object:
        engines.append(opened(url))
        return engines[-1]

    monkeypatch.setattr(stream.storage.store, "open_database", remembering)
    yield
    for engine in engines:
        engine.dispose()


@pytest.fixture
def store_url(url: str) -> str:
    """Return the URL of an empty store, on each database."""
    return url
