"""Fixtures of the tests of alerts and of the mirror."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from stream.storage.store import Store
from tests.notify.listener import Listener


@pytest.fixture
def listener() -> Iterator[Listener]:
    """Return a server that remembers what it is sent."""
    one = Listener()
    yield one
    one.stop()


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    """Return the URL of an empty store."""
    return f"sqlite:///{tmp_path / 'riverrun.db'}"


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """Return an empty store of the stream ``s``."""
    with closing(Store(store_url, "s")) as opened:
        yield opened
