"""A stream whose API asks for keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from serve.api.app import create_app
from serve.api.auth.access import Access
from serve.api.auth.key_file import read_keys, write_keys
from serve.api.auth.keys import StoredKey, hash_of, new_key
from serve.api.auth.open_access import open_access
from serve.api.auth.roles import Role
from tests.serve.conftest import World, running

SECRET = b"s" * 32


class Guarded:
    """An API with keys, by role, over a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.file = Path(world.config.api.keys_file or "")
        write_keys(self.file, [])
        self.keys = {role.label: self.add(role.label, role) for role in Role}

    def add(self, name: str, role: Role, expires: datetime | None = None) -> str:
        """Put a key into the file; return it."""
        kept = read_keys(self.file)
        key, key_id = new_key(one.id for one in kept)
        row = StoredKey(key_id, name, role, hash_of(key), datetime.now(UTC), expires)
        write_keys(self.file, [*kept, row])
        return key

    def revoke(self, key: str) -> None:
        """Take a key out of the file."""
        write_keys(self.file, [one for one in read_keys(self.file) if one.hash != hash_of(key)])

    def access(self) -> Access:
        """Return who may use the API, as the server makes it."""
        return open_access(self.world.config, {}, SECRET)

    @contextmanager
    def api(self, role: str | None = None) -> Iterator[httpx.Client]:
        """Serve over real HTTP, to a client with the key of a role."""
        app = create_app([self.world.served()], access=self.access())
        with running(app) as url, httpx.Client(base_url=url) as client:
            client.headers["content-type"] = "application/json"
            if role is not None:
                client.headers["authorization"] = f"Bearer {self.keys[role]}"
            yield client


@pytest.fixture
def guard_world(make_world, tmp_path) -> Callable[..., Guarded]:
    """Make a stream with keys; sections override the configuration."""

    def make(**sections) -> Guarded:
        api = {"keys_file": str(tmp_path / "keys.toml")} | sections.pop("api", {})
        made = make_world(api=api, **sections)
        made.learn()
        return Guarded(made)

    return make


@pytest.fixture
def guarded(guard_world) -> Guarded:
    """A stream whose worker has learned, and keys of each role."""
    return guard_world()
