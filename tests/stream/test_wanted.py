"""The predictions most worth a label: River's own measure, and a list that follows what waits."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from river.active import EntropySampler

from stream.waiting import Pending, Waiting
from stream.wanted import Wanted, uncertainty, write_wanted

SHARES = st.lists(st.floats(0, 1), min_size=1, max_size=6).filter(lambda found: sum(found) > 0.01)


def pending(number: int, prediction, value: bytes = b"{}") -> Pending:
    return Pending(f"e{number}", number, 1_000 * number, 0, value, prediction, (None, None))


@given(SHARES)
def test_it_is_the_number_that_rivers_sampler_asks_by(shares):
    stated = {str(i): share / sum(shares) for i, share in enumerate(shares)}
    sampler = EntropySampler(classifier=None, discount_factor=1)
    assert uncertainty("multiclass", stated) == pytest.approx(sampler._p(stated), abs=1e-9)


@pytest.mark.parametrize("stated", [0.5, 0.1, 0.8])
def test_rivers_sampler_asks_for_that_share_of_labels(stated):
    class Says:
        def predict_proba_one(self, x):
            return {True: stated, False: 1 - stated}

    sampler = EntropySampler(Says(), discount_factor=1, seed=1)
    asked = sum(sampler.predict_proba_one({})[1] for _ in range(4_000)) / 4_000
    assert asked == pytest.approx(uncertainty("binary", stated), abs=0.03)


def test_the_list_is_that_of_sorting_all_that_waits_whatever_comes_and_goes():
    rng = random.Random(3)
    waiting: Waiting[Pending] = Waiting(400, 10**9)
    wanted = Wanted("binary", 20)
    number = 0
    for turn in range(60):
        fresh = []
        for _ in range(rng.randint(0, 40)):
            number += 1
            fresh.append(pending(number, rng.random()))
            waiting.add(fresh[-1])
            waiting.evict()
        for one in rng.sample(list(waiting), min(len(waiting), rng.randint(0, 10))):
            waiting.pop(one.id)
        fresh = [one for one in fresh if one.id in waiting]
        found = wanted.renew(waiting, fresh)
        best = sorted(waiting, key=lambda one: (abs(one.prediction - 0.5), one.seq))[:20]
        # What left is replaced from what came; all is looked through when half has gone.
        assert all(one.id in waiting for _, one in found)
        assert len(found) >= min(10, len(waiting))
        assert found[0][1].id == best[0].id or turn > 0
        assert [score for score, _ in found] == sorted((s for s, _ in found), reverse=True)
    anew = Wanted("binary", 20).renew(waiting, [])
    assert [one.id for _, one in anew] == [one.id for one in best]


def test_a_failed_commit_can_try_again():
    waiting: Waiting[Pending] = Waiting(100, 10**9)
    wanted = Wanted("binary", 5)
    rows = [pending(number, 0.4) for number in range(8)]
    for one in rows:
        waiting.add(one)
    first = wanted.renew(waiting, rows)
    assert wanted.renew(waiting, rows) == first
    assert [one.id for _, one in first] == ["e0", "e1", "e2", "e3", "e4"]


def test_large_events_are_left_out_of_what_is_written():
    small, large = b'{"x":1}', b'{"x":"' + b"y" * 20_000 + b'"}'
    rows = [(1.0, pending(1, 0.5, small)), (0.9, pending(2, 0.6, large))]
    found = msgspec.json.decode(write_wanted(rows, "binary", 2, 500))
    assert [row["event"] for row in found["wanted"]] == [{"x": 1}, None]
    assert found["wanted"][0]["until"] == 1_500
