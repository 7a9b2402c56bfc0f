"""Leases: shares of a stream's shards that even out, run out, and move only when given up."""

from __future__ import annotations

from contextlib import closing

import pytest

from stream.clock import SystemClock
from stream.sharding.lease_membership import LeaseMembership
from stream.storage.store import Store

SECONDS = 600.0


class Hand:
    """A clock that a test moves, where the database has none of its own."""

    def __init__(self) -> None:
        self.time = 1_000.0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


@pytest.fixture
def store(url):
    with closing(Store(url, "s")) as opened:
        yield opened


def member(store: Store, name: str, clock=None, seconds: float = SECONDS) -> LeaseMembership:
    return LeaseMembership(store.leases, name, 4, seconds, clock or SystemClock())


def tick(joined: LeaseMembership) -> list:
    """Let a member renew at once."""
    joined._next = float("-inf")
    return joined.poll(0.0)


def kinds(changes: list) -> dict[str, set[int]]:
    return {change.kind: set(change.numbers) for change in changes}


def test_one_member_gets_all_and_hears_of_it_once(store):
    alone = member(store, "a")
    assert not alone.has_joined
    assert kinds(tick(alone)) == {"assigned": {0, 1, 2, 3}}
    assert alone.has_joined
    assert tick(alone) == []


def test_a_second_member_waits_until_the_first_has_given_up_its_part(store):
    first, second = member(store, "a"), member(store, "b")
    tick(first)
    assert tick(second) == []
    assert second.has_joined
    (revoked,) = tick(first)
    assert (revoked.kind, set(revoked.numbers)) == ("revoked", {2, 3})
    assert tick(first) == [], "it is told once"
    assert tick(second) == [], "what is not committed yet does not move"
    revoked.done()
    assert kinds(tick(second)) == {"assigned": {2, 3}}
    assert tick(first) == []


def test_who_leaves_gives_everything_back_at_once(store):
    first, second = member(store, "a"), member(store, "b")
    tick(first)
    first.leave()
    assert kinds(tick(second)) == {"assigned": {0, 1, 2, 3}}


def test_five_members_share_four_shards_and_one_waits(store):
    members = [member(store, name) for name in "abcde"]
    for _ in range(4):
        for one in members:
            for change in tick(one):
                change.done()
    assert sorted(len(one._held) for one in members) == [0, 1, 1, 1, 1]


def test_a_member_that_was_silent_loses_its_shards_and_is_told(tmp_path):
    clock = Hand()
    with closing(Store(f"sqlite:///{tmp_path / 'store.db'}", "s")) as store:
        frozen, other = member(store, "a", clock, 6.0), member(store, "b", clock, 6.0)
        tick(frozen)
        clock.time += 7.0
        assert not frozen.is_heard, "what it was told last may no longer be so"
        assert kinds(tick(other)) == {"assigned": {0, 1, 2, 3}}
        assert other.is_heard
        assert kinds(tick(frozen)) == {"lost": {0, 1, 2, 3}}
        (revoked,) = tick(other)
        revoked.done()
        assert kinds(tick(frozen)) == {"assigned": set(revoked.numbers)}


def test_a_lease_is_one_holders_until_it_runs_out(tmp_path):
    with closing(Store(f"sqlite:///{tmp_path / 'store.db'}", "s")) as store:
        leases = store.leases
        assert leases.hold("coordinator", "a", 6.0, now=0.0)
        assert not leases.hold("coordinator", "b", 6.0, now=5.0)
        assert leases.hold("coordinator", "a", 6.0, now=5.0)
        assert not leases.hold("coordinator", "b", 6.0, now=10.0)
        assert leases.hold("coordinator", "b", 6.0, now=11.5)
        assert not leases.hold("coordinator", "a", 6.0, now=11.6)


def test_streams_do_not_share_their_leases(url):
    with closing(Store(url, "s")) as one, closing(Store(url, "t")) as other:
        assert kinds(tick(member(one, "a"))) == {"assigned": {0, 1, 2, 3}}
        assert kinds(tick(member(other, "a"))) == {"assigned": {0, 1, 2, 3}}
