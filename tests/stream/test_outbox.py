"""The outbox turns what happened into messages exactly once, and gives up only what it counts."""

from __future__ import annotations

import pytest

from stream.storage.outbox import PAGE, Message
from stream.storage.store import Store
from tests.notify.scene import Writer, change


def everything(news, state):
    """Make a message of each row."""
    keys = [f"h{row['detail']['n']}" for row in news.happenings if "n" in row["detail"]]
    keys += [f"r{row['run']}" for row in news.changes]
    seen = state.get("seen", 0) + len(keys)
    return [Message(key, 1.0, {"key": key}) for key in keys], {"seen": seen}


@pytest.fixture
def store(url):
    store = Store(url, "s")
    store.outbox.begin("r")
    return store


def keys(store, receiver="r"):
    return [one.message.key for one in store.outbox.waiting(receiver, 10_000)]


def test_each_row_becomes_a_message_once(store):
    store.record("k", {"n": 1}, 1.0)
    Writer(store).commit(2.0, ("k", {"n": 2}), changes=(change(7, "promoted"),))
    assert store.outbox.take("r", everything) == 3
    assert store.outbox.take("r", everything) == 0
    assert keys(store) == ["h1", "h2", "r7"]
    assert store.outbox.state("r") == {"seen": 3}


def test_rows_are_taken_a_page_at_a_time(store):
    for n in range(PAGE + 3):
        store.record("k", {"n": n}, float(n))
    assert [store.outbox.take("r", everything) for _ in range(3)] == [PAGE, 3, 0]
    assert keys(store) == [f"h{n}" for n in range(PAGE + 3)]


def test_what_another_took_meanwhile_is_not_taken_twice(store):
    store.record("k", {"n": 1}, 1.0)

    def slow(news, state):
        store.outbox.take("r", everything)
        return everything(news, state)

    assert store.outbox.take("r", slow) == 0
    assert keys(store) == ["h1"]


def test_receivers_have_places_of_their_own(store):
    store.record("k", {"n": 1}, 1.0)
    store.outbox.begin("late")
    store.record("k", {"n": 2}, 2.0)
    store.outbox.begin("r")  # once more: its place stays
    store.outbox.take("r", everything)
    store.outbox.take("late", everything)
    assert (keys(store), keys(store, "late")) == (["h1", "h2"], ["h2"])


def test_tries_are_counted(store):
    for n in range(4):
        store.record("k", {"n": n}, float(n))
    store.outbox.take("r", everything)
    first, second, *_ = store.outbox.waiting("r", 10)
    store.outbox.failed("r", "no route")
    assert store.outbox.deliveries()["r"].last_error == "no route"
    store.outbox.delivered("r", first, 9.0)
    store.outbox.failed("r", "refused", refused=second)
    found = store.outbox.deliveries()["r"]
    assert (found.sent, found.failed, found.dropped, found.waiting) == (1, 2, 1, 2)
    assert (found.sent_at, found.last_error) == (9.0, "refused")


def test_a_message_removed_by_another_is_not_removed_twice(store):
    store.record("k", {"n": 1}, 1.0)
    store.outbox.take("r", everything)
    (old,) = store.outbox.waiting("r", 10)
    store.outbox.delivered("r", old, 1.0)
    store.record("k", {"n": 2}, 2.0)
    store.outbox.take("r", everything)
    store.outbox.delivered("r", old, 2.0)  # SQLite gave its number to the new one
    assert keys(store) == ["h2"]


def test_the_oldest_are_given_up_and_counted(store):
    for n in range(10):
        store.record("k", {"n": n}, float(n))
    store.outbox.take(
        "r",
        lambda news, state: (
            [Message(f"h{r['detail']['n']}", r["at"], {}) for r in news.happenings],
            state,
        ),
    )
    assert store.outbox.shed("r", keep=5, before=0.0) == 5
    assert store.outbox.shed("r", keep=5, before=7.0) == 2
    assert store.outbox.shed("r", keep=5, before=7.0) == 0
    assert keys(store) == ["h7", "h8", "h9"]
    assert store.outbox.deliveries()["r"].dropped == 7
