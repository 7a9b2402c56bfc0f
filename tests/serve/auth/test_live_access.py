"""Live events end with the key that they were asked for with."""

from __future__ import annotations

import pytest

from serve.api.auth.roles import Role
from serve.api.live import routes
from serve.client import Client, UnauthorizedError

LIVE = "/v1/streams/flights/live"


def test_a_stream_ends_when_its_key_is_taken_away(guarded, monkeypatch):
    monkeypatch.setattr(routes, "ACCESS_SECONDS", 0.1)
    with guarded.api("viewer") as client:
        other = guarded.add("another", Role.VIEWER)
        with client.stream("GET", LIVE) as answer:
            assert answer.status_code == 200
            lines = answer.iter_lines()
            assert next(lines) == "retry: 1000"
            guarded.revoke(guarded.keys["viewer"])
            assert "event: status" in list(lines), "it ended by itself"
        assert client.get(LIVE).status_code == 401
        headers = {"authorization": f"Bearer {other}"}
        with client.stream("GET", LIVE, headers=headers) as answer:
            assert answer.status_code == 200


def test_a_client_without_a_key_is_told_at_once_and_does_not_come_again(guarded):
    with (
        guarded.api() as api,
        Client(str(api.base_url), "flights") as client,
        pytest.raises(UnauthorizedError),
    ):
        next(client.live())
    with (
        guarded.api() as api,
        Client(str(api.base_url), "flights", api_key=guarded.keys["viewer"]) as client,
    ):
        assert next(client.live()).type == "status"
