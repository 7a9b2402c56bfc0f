"""What waits is bounded, expires in event time, and survives being stored as chunks."""

from __future__ import annotations

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

import stream.waiting as waiting_module
from stream.settled import Settled
from stream.waiting import Chunk, EarlyLabel, Waiting

CHUNK = msgspec.msgpack.Decoder(Chunk[EarlyLabel])


class WaitingMachine(RuleBasedStateMachine):
    """Compares ``Waiting`` with a list, over commits, failed commits, restarts and going back."""

    def __init__(self):
        super().__init__()
        waiting_module._SLACK = 4  # so that the tidying of chunks happens in a small example
        self.waiting = Waiting[EarlyLabel](max_entries=8, max_delay=10)
        self.model: list[EarlyLabel] = []
        self.stored: dict[int, bytes] = {}
        self.number = 0
        self.seq = 0
        self.committed: list[str] = []

    @rule(key=st.integers(0, 30), time=st.integers(0, 60))
    def add(self, key, time):
        if str(key) in self.waiting:
            return
        self.seq += 1
        entry = EarlyLabel(str(key), self.seq, time, 0, True)
        self.waiting.add(entry)
        self.model.append(entry)
        evicted = self.waiting.evict()
        assert (evicted is not None) == (len(self.model) > 8)
        if evicted is not None:
            assert evicted.id == self.model.pop(0).id

    @rule(key=st.integers(0, 30))
    def pop(self, key):
        found = self.waiting.pop(str(key))
        expected = [e for e in self.model if e.id == str(key)]
        assert [found] == expected if expected else found is None
        self.model = [e for e in self.model if e.id != str(key)]

    @rule(watermark=st.integers(0, 80))
    def expire(self, watermark):
        gone = self.waiting.expire(watermark)
        expected = [e for e in self.model if e.time + 10 < watermark]
        assert sorted(e.id for e in gone) == sorted(e.id for e in expected)
        self.model = [e for e in self.model if e.time + 10 >= watermark]

    @rule()
    def failed_commit(self):
        self.waiting.changes()

    @rule()
    def commit(self):
        chunk = self.waiting.changes()
        self.number += 1
        self.stored = {n: d for n, d in self.stored.items() if n >= chunk.first}
        if chunk.added or chunk.removed:
            self.stored[self.number] = msgspec.msgpack.encode(chunk)
        self.waiting.committed(chunk, self.number)
        self.committed = [e.id for e in self.model]

    @precondition(lambda self: self.number)
    @rule()
    def restart(self):
        self.waiting = Waiting[EarlyLabel](max_entries=8, max_delay=10)
        self.waiting.restore([(n, CHUNK.decode(d)) for n, d in sorted(self.stored.items())])
        assert [e.id for e in self.waiting] == self.committed
        self.model = list(self.waiting)
        self.seq = max([e.seq for e in self.model], default=0) + 1_000

    def teardown(self):
        waiting_module._SLACK = 1_000

    @invariant()
    def holds_the_same_in_the_same_order(self):
        assert [e.id for e in self.waiting] == [e.id for e in self.model]
        assert self.waiting.ends()[0] == len(self.model)


WaitingMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestWaiting = WaitingMachine.TestCase


def test_what_is_stored_stays_within_twice_what_waits():
    """However long the stream runs, and though one entry stays from the very start."""
    waiting = Waiting[EarlyLabel](max_entries=10_000, max_delay=10**9)
    stored: dict[int, int] = {}
    written = 0
    waiting.add(EarlyLabel("old", 0, 0, 0, True))
    for number in range(1, 300):
        for i in range(100):
            waiting.add(EarlyLabel(f"{number}-{i}", number * 100 + i, number, 0, True))
        if number > 20:
            for i in range(100):
                waiting.pop(f"{number - 20}-{i}")
        chunk = waiting.changes()
        waiting.committed(chunk, number)
        stored = {n: size for n, size in stored.items() if n >= chunk.first}
        stored[number] = len(chunk.added) + len(chunk.removed)
        written += stored[number]
        assert sum(stored.values()) <= 2 * len(waiting) + 3_000
    assert written < 3 * 300 * 100


def test_memory_of_the_expiry_order_is_bounded():
    waiting = Waiting[EarlyLabel](max_entries=100, max_delay=10**12)
    for i in range(20_000):
        waiting.add(EarlyLabel(str(i), i, i, 0, True))
        waiting.pop(str(i))
    assert len(waiting._by_time) < 3_000


def test_settled_ids_survive_chunks():
    settled, stored = Settled(50), {}
    for number in range(1, 40):
        for i in range(number % 17):
            settled.add(f"{number}-{i}", i % 2 == 0)
        added, first = settled.changes()
        settled.committed(len(added), first, number)
        stored = {n: rows for n, rows in stored.items() if n >= first}
        if added:
            stored[number] = added
        again = Settled(50)
        again.restore(sorted(stored.items()))
        assert again.ends() == settled.ends()
        assert all(again.label(k) == settled.label(k) for k in settled._order)
    assert sum(map(len, stored.values())) < 50 + 2 * 17


def test_a_window_of_zero_remembers_nothing():
    settled = Settled(0)
    settled.add("a", True)
    assert "a" not in settled
    assert settled.changes() == ([], 1)
