"""A crew works on what its group gives it, and lets go of it as the group says."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from stream.clock import SystemClock
from stream.errors import FencedError, HaltedError
from stream.records import TopicPartition
from stream.sharding import crew as crew_module
from stream.sharding.crew import Copies, Crew
from stream.sharding.membership import Change
from tests.faults.watching import wait_until


class Group:
    """A membership whose changes a test makes up."""

    copies_offsets = True
    is_heard = True

    def __init__(self) -> None:
        self.coming: list[Change] = []
        self.has_joined = False
        self.copied: dict = {}
        self.left = 0
        self.polls = 0

    def say(self, kind: str, *numbers: int) -> threading.Event:
        done = threading.Event()
        self.coming.append(Change(kind, frozenset(numbers), done.set))
        return done

    def poll(self, seconds: float) -> list[Change]:
        self.polls += 1
        found, self.coming = self.coming, []
        self.has_joined = self.has_joined or bool(found)
        if not found:
            threading.Event().wait(0.005)
        return found

    def copy(self, offsets) -> None:
        self.copied |= offsets

    def leave(self) -> None:
        self.left += 1


class Bench:
    """A crew in a thread, whose work does nothing but wait until it is told to stop."""

    def __init__(self) -> None:
        self.group = Group()
        self.copies = Copies()
        self.begun: list[int] = []
        self.committed: list[int] = []
        self.raising: dict[int, Exception] = {}
        self.may_end = threading.Event()
        self.may_end.set()
        self.ends = False
        self.stop = threading.Event()
        self.failure: BaseException | None = None
        self.crew = Crew(self.group, 4, self.work, SystemClock(), self.copies)
        self.thread = threading.Thread(target=self._run, daemon=True)

    def work(self, number: int, should_stop: Callable[[], bool]) -> None:
        self.begun.append(number)
        if (error := self.raising.pop(number, None)) is not None:
            raise error
        while not (self.ends or should_stop()):
            threading.Event().wait(0.005)
        self.may_end.wait(60)
        should_stop()
        self.committed.append(number)

    def start(self, is_read: Callable[[], bool] | None = None) -> None:
        self.is_read = is_read
        self.thread.start()

    def end(self) -> None:
        self.stop.set()
        self.thread.join(60)
        assert not self.thread.is_alive()

    def _run(self) -> None:
        try:
            self.crew.run(self.stop.is_set, self.is_read)
        except HaltedError as error:
            self.failure = error


@pytest.fixture
def bench():
    made = Bench()
    yield made
    made.may_end.set()
    made.stop.set()
    if made.thread.ident is not None:
        made.thread.join(60)


def test_it_works_on_what_is_assigned_and_commits_all_at_the_end(bench):
    bench.start()
    bench.group.say("assigned", 0, 2)
    wait_until(lambda: sorted(bench.begun) == [0, 2], "work")
    bench.end()
    assert sorted(bench.committed) == [0, 2]
    assert bench.group.left == 1


def test_what_is_revoked_is_committed_before_the_group_is_told(bench):
    bench.start()
    bench.group.say("assigned", 0, 1)
    wait_until(lambda: len(bench.begun) == 2, "work")
    bench.may_end.clear()
    done = bench.group.say("revoked", 1)
    assert not done.wait(0.2)
    bench.may_end.set()
    assert done.wait(60)
    assert bench.committed == [1]
    assert bench.crew.working == [0]


def test_what_is_lost_ends_without_a_commit(bench):
    bench.start()
    bench.group.say("assigned", 0, 1)
    wait_until(lambda: len(bench.begun) == 2, "work")
    bench.group.say("lost", 0)
    wait_until(lambda: bench.crew.working == [1], "an end")
    assert bench.committed == []


def test_a_shard_that_comes_back_is_begun_anew(bench):
    bench.start()
    bench.group.say("assigned", 0)
    wait_until(lambda: bench.begun == [0], "work")
    bench.group.say("lost", 0)
    bench.group.say("assigned", 0)
    wait_until(lambda: bench.begun == [0, 0], "work")


def test_a_shard_that_somebody_claimed_is_claimed_again_while_it_is_ours(bench, monkeypatch):
    monkeypatch.setattr(crew_module, "_FENCED_SECONDS", 0.05)
    bench.raising = {0: FencedError("s/0-of-4", 1, 2)}
    bench.start()
    bench.group.say("assigned", 0, 1)
    wait_until(lambda: sorted(bench.begun) == [0, 0, 1], "a second claim")
    bench.end()
    assert bench.failure is None


def test_nothing_is_begun_while_the_group_does_not_answer(bench, monkeypatch):
    monkeypatch.setattr(crew_module, "_FENCED_SECONDS", 0.0)
    bench.raising = {0: FencedError("s/0-of-4", 1, 2)}
    bench.group.is_heard = False
    bench.start()
    bench.group.say("assigned", 0)
    polls = bench.group.polls
    wait_until(lambda: bench.group.polls > polls + 10, "turns")
    assert bench.begun == []
    bench.group.is_heard = True
    wait_until(lambda: bench.begun == [0, 0], "work, and a second claim")


def test_a_shard_that_halts_ends_the_worker_when_all_is_committed(bench):
    bench.raising = {2: HaltedError("too many dead letters")}
    bench.start()
    bench.group.say("assigned", 0, 2)
    bench.thread.join(60)
    assert "too many" in str(bench.failure)
    assert sorted(bench.begun) == [0, 2], "what failed is not tried again"
    assert bench.committed == [0]
    assert bench.group.left == 1


def test_it_leaves_when_its_shards_are_done_or_all_of_the_stream_is_read(bench):
    bench.ends = True
    bench.start(is_read=lambda: False)
    bench.group.say("assigned", 0, 1)
    bench.thread.join(60)
    assert sorted(bench.committed) == [0, 1]

    idle = Bench()
    idle.start(is_read=lambda: True)
    idle.group.has_joined = True
    idle.thread.join(60)
    assert not idle.thread.is_alive()


def test_committed_offsets_are_copied_to_the_group(bench):
    bench.start()
    bench.group.say("assigned", 0)
    place = TopicPartition("s.events", 0)
    bench.copies.put({place: 7})
    bench.end()
    assert bench.group.copied == {place: 7}
