"""Dead letters are replayed over HTTP: what was mended is learned, once, and somebody asked."""

from __future__ import annotations

import pytest

from stream.dead_letters.replay import Replay

BASE = "/v1/streams/flights"
REPLAY = f"{BASE}/dead-letters/replay"
WHY = {"reason": "the limit was raised"}


@pytest.fixture
def mended(make_world):
    """A stream whose worker refused three large events; the API's configuration takes two."""
    sections = {"event": {"max_bytes": 300}, "dead_letters": {"max_share": 1.0}}
    made = make_world(**sections)
    made.learn(20)
    large = [made.event(late=True, note="n" * size) for size in (400, 400, 3_000)]
    made.append(*large)
    made.work()
    assert made.worker.line.counts.dead_lettered == 3
    event = made.config.event.model_copy(update={"max_bytes": 2_000})
    made.config = made.config.model_copy(update={"event": event})
    return made


def test_what_can_be_used_now_is_appended_once(mended):
    before = len(mended.records())
    with mended.api() as client:
        first = client.post(REPLAY, json=WHY)
        assert first.status_code == 200
        assert first.json() == {
            "state": "done",
            "outcome": "2 of 3 dead letters replayed; 1 skipped: they would be rejected again by "
            "the configuration as it is",
            "topic": "flights.dead-letters",
            "selected": 3,
            "replayed": 2,
            "skipped": {"still_rejected": 1},
            "rejections": {"decode/too_large": 1},
            "more": False,
        }
        again = client.post(REPLAY, json=WHY).json()
        assert (again["replayed"], again["skipped"]["already_replayed"]) == (0, 2)
        rows = client.get(f"{BASE}/audit").json()["actions"]
    assert len(mended.records()) == before + 2
    assert [(row["action"], row["reason"]) for row in rows] == [
        ("replay_dead_letters", WHY["reason"])
    ] * 2


def test_a_limit_says_that_there_is_more(mended):
    with mended.api() as client:
        found = client.post(f"{REPLAY}?limit=1", json=WHY).json()
        assert (found["replayed"], found["more"]) == (1, True)
        assert found["outcome"].endswith("ask again for the rest")
        assert client.post(REPLAY, json=WHY).json()["replayed"] == 1


def test_two_at_once_are_refused(mended, monkeypatch):
    with mended.api() as client:
        inner, seen = Replay.run, []

        def run(self, *arguments):
            seen.append(client.post(REPLAY, json=WHY))
            return inner(self, *arguments)

        monkeypatch.setattr(Replay, "run", run)
        assert client.post(REPLAY, json=WHY).json()["replayed"] == 2
        assert seen[0].status_code == 409
        assert seen[0].json()["type"].endswith("replay_running")
        assert "retry-after" in seen[0].headers


def test_where_nothing_was_refused_nothing_is_replayed(world):
    with world.api() as client:
        found = client.post(REPLAY, json=WHY).json()
    assert (found["selected"], found["replayed"]) == (0, 0)
    assert found["outcome"] == "0 of 0 dead letters replayed"


def test_without_a_reason_nothing_happens(mended):
    with mended.api() as client:
        assert client.post(REPLAY, json={}).status_code == 422
        assert client.post(REPLAY, json={"reason": "  "}).json()["errors"][0]["field"] == "reason"
        assert client.post(f"{REPLAY}?limit=0", json=WHY).status_code == 422
        assert client.get(f"{BASE}/audit").json()["actions"] == []
