"""What the store keeps of people: the audit, their disagreements, and the secret of sessions."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from stream.checkpoint import Snapshot
from stream.opinions import Conflict
from stream.storage import audit as audit_module
from stream.storage import disagreements
from stream.storage.audit import Actor
from stream.storage.store import Identity, Store

IDENTITY = Identity("f.f", 1, {})
STATUS = {"counts": {"learned": 0}}


@pytest.fixture
def store(url) -> Iterator[Store]:
    made = Store(url, "s")
    yield made
    made.close()


def conflict(number: int) -> Conflict:
    return Conflict(f"e{number}", True, "anna", 1_000, False, "bert", 2_000)


def commit(store: Store, claim, number: int, *conflicts: Conflict, replace: bool = False) -> None:
    store.commit(
        claim,
        number,
        Snapshot({}, "v1", {"model": b"m"}, {}, conflicts=conflicts),
        status=STATUS,
        identity=IDENTITY,
        reason="test",
        now=float(number),
        keep=3,
        replace=replace,
    )


def ids(store: Store) -> list[str]:
    return [one.id for _, one in store.disagreements.newest(100)]


def test_actions_are_listed_with_what_came_of_them(store):
    ops = Actor("ops", "key", "10.0.0.7")
    store.audit.write("key_add", Actor("root"), "first", {"key": "1"}, 1.0)
    asked = store.runs.ask("retrain", {"reason": "prices"}, ops, 2.0)
    claim = store.claim("w", 3.0)
    newest, oldest = store.audit.entries(10)
    assert (newest["by"], newest["via"], newest["origin"]) == ("ops", "key", "10.0.0.7")
    assert (newest["action"], newest["reason"], newest["request"]) == ("retrain", "prices", asked)
    assert newest["outcome"] is None
    assert oldest["detail"] == {"key": "1"}
    store.commit(
        claim,
        1,
        Snapshot({}, "v1", {"model": b"m"}, {}),
        status=STATUS,
        identity=IDENTITY,
        reason="test",
        now=4.0,
        keep=3,
        replace=True,
        answers={asked: "run 1 began"},
    )
    assert store.audit.entries(1)[0]["outcome"] == "run 1 began"
    assert [row["id"] for row in store.audit.entries(10, newest["id"])] == [oldest["id"]]


def test_the_audit_of_one_stream_is_not_that_of_another(store, url):
    other = Store(url, "t")
    other.audit.write("rollback", Actor("ops"), "x", {}, 1.0)
    assert store.audit.entries(10) == []
    other.close()


def test_the_audit_is_bounded(store, monkeypatch):
    monkeypatch.setattr(audit_module, "KEPT", 50)
    for number in range(200):
        store.audit.write("labels", Actor("anna"), "", {"number": number}, float(number))
    rows = store.audit.entries(1_000)
    assert len(rows) == 50
    assert rows[0]["detail"] == {"number": 199}


def test_conflicts_come_and_go_with_their_checkpoint(store):
    claim = store.claim("w", 0.0)
    commit(store, claim, 1, conflict(1), conflict(2), replace=True)
    commit(store, claim, 2)
    commit(store, claim, 3, conflict(3))
    assert ids(store) == ["e3", "e2", "e1"]
    (place, newest), *_ = store.disagreements.newest(1)
    assert newest == conflict(3)
    assert [one.id for _, one in store.disagreements.newest(1, place)] == ["e2"]
    store.go_back_to(claim, 2)
    assert ids(store) == ["e2", "e1"]
    commit(store, claim, 4, conflict(4), replace=True)
    assert ids(store) == ["e4"]
    assert store.disagreements.count() == 1


def test_conflicts_are_bounded(store, monkeypatch):
    monkeypatch.setattr(disagreements, "KEPT", 5)
    claim = store.claim("w", 0.0)
    for number in range(1, 9):
        commit(store, claim, number, conflict(2 * number), conflict(2 * number + 1))
    assert store.disagreements.count() <= 6
    assert ids(store)[0] == "e17"


def test_all_processes_get_one_secret_however_many_ask_first(url):
    stores = [Store(url, "s") for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        found = set(pool.map(lambda store: store.shared_secret(), stores))
    assert len(found) == 1
    assert len(found.pop()) == 32
    for store in stores:
        store.close()
