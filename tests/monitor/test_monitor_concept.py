"""Concept drift: the stated false-alarm rate, the change point, River's detectors."""

from __future__ import annotations

import json
import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.betting import BETS, BettingState, bet
from monitor.concept import ConceptMonitor
from monitor.config import DETECTORS, ConceptConfig, DetectorName
from monitor.detectors import LossDetector
from monitor.errors import DamagedError

ONLY_BETTING = ConceptConfig(detector=None)


def test_the_stake_of_each_bet_is_the_product_of_its_gains() -> None:
    state, _, _ = bet(BettingState(0.3), [1.0, 0.0, 1.0], np.zeros(3), 1e9)
    for k, share in enumerate(np.geomspace(0.02, 0.9, BETS)):
        stake = 1.0
        for x in (1.0, 0.0, 1.0):
            stake = max(stake * (1 + share / 0.3 * (x - 0.3)), 1.0)
        assert state.stakes[k] == pytest.approx(math.log(stake))


@given(st.lists(st.floats(0, 1), max_size=60), st.lists(st.integers(0, 60), max_size=4))
@settings(max_examples=80, deadline=None)
def test_however_losses_come_in_batches_the_evidence_is_the_same(
    losses: list[float], cuts: list[int]
) -> None:
    def run(bounds: list[int]) -> BettingState:
        state = BettingState(0.2)
        for start, stop in pairwise(bounds):
            times = np.arange(start, stop, dtype=float)
            state, _, _ = bet(state, losses[start:stop], times[: len(losses[start:stop])], 1e12)
        return state

    whole, parts = run([0, 60]), run([0, *sorted(cuts), 60])
    assert parts == whole


@pytest.mark.parametrize("scale", [1e-3, 0.3, 1.0])
def test_ten_thousand_losses_give_the_evidence_that_each_alone_gives(scale: float) -> None:
    """Also where more come at once than are added up together."""
    rng = np.random.default_rng(7)
    losses, times = rng.uniform(size=10_000) * scale, np.arange(10_000.0)
    whole, rise, used = bet(BettingState(scale / 2), losses, times, 1e12)
    assert (rise, used) == (None, 10_000)
    one = BettingState(scale / 2)
    for at in range(10_000):
        one, _, _ = bet(one, losses[at : at + 1], times[at : at + 1], 1e12)
    assert one == whole
    assert max(whole.stakes) > 0.0


@pytest.mark.parametrize("name", DETECTORS)
def test_however_losses_come_in_batches_a_detector_says_the_same(name: DetectorName) -> None:
    rng = np.random.default_rng(8)
    losses = np.concatenate([rng.uniform(size=700) < p for p in (0.1, 0.6, 0.2, 0.9)]).astype(float)
    whole, parts = LossDetector(name), LossDetector(name)
    found = []
    for start, stop in pairwise([0, 3, 40, 41, 900, 1500, 2800]):
        found += [(start + at, width) for at, width in parts.update(losses[start:stop])]
    assert found == whole.update(losses)
    assert found


@pytest.mark.parametrize("mean", [0.05, 0.3])
def test_false_alarms_keep_to_the_stated_rate(mean: float) -> None:
    """The expected run to a false alarm is at least the threshold, with the mean at its limit."""
    rng = np.random.default_rng(0)
    threshold, length, alarms = 500.0, 200_000, 0
    losses = (rng.uniform(size=length) < mean).astype(float)
    state, at = BettingState(mean), 0
    while at < length:
        state, rise, used = bet(state, losses[at : at + 5000], np.zeros(5000), threshold)
        at += used
        if rise is not None:
            alarms += 1
            state = BettingState(mean)
    assert alarms <= length / threshold + 3 * math.sqrt(length / threshold)


def test_it_holds_for_losses_that_depend_on_each_other() -> None:
    """Only the mean given the past matters: here the last loss decides the spread of the next."""
    rng = np.random.default_rng(1)
    losses = np.empty(100_000)
    last = 0.0
    for k in range(len(losses)):
        spread = 0.3 if last > 0.3 else 0.05
        last = losses[k] = 0.3 + spread * rng.choice([-1, 1])
    alarms, state, at = 0, BettingState(0.3), 0
    while at < len(losses):
        state, rise, used = bet(state, losses[at : at + 5000], np.zeros(5000), 1000.0)
        at += used
        if rise is not None:
            alarms += 1
            state = BettingState(0.3)
    assert alarms <= 100 + 30


@pytest.mark.parametrize(("after", "delay_max"), [(0.6, 150), (0.3, 1200)])
def test_a_rise_is_found_and_its_beginning_estimated(after: float, delay_max: int) -> None:
    rng = np.random.default_rng(2)
    losses = np.r_[rng.uniform(size=10_000) < 0.2, rng.uniform(size=4000) < after].astype(float)
    drifts = ConceptMonitor(ONLY_BETTING).observe(losses, np.arange(14_000.0))
    assert len(drifts) >= 1
    first = drifts[0]
    assert 10_000 <= first.at_time <= 10_000 + delay_max
    assert first.since_time == pytest.approx(10_000, abs=400 if after == 0.3 else 60)


def test_a_stable_or_falling_loss_is_no_drift() -> None:
    rng = np.random.default_rng(3)
    losses = np.r_[rng.exponential(3.0, size=30_000), rng.exponential(1.0, size=10_000)]
    monitor = ConceptMonitor(ONLY_BETTING)
    assert monitor.observe(losses, np.arange(40_000.0)) == ()
    assert monitor.take_level() < 1


def test_a_model_without_errors_may_make_one() -> None:
    monitor = ConceptMonitor(ONLY_BETTING)
    losses = np.zeros(50_000)
    losses[::4000] = 1.0
    assert monitor.observe(losses, np.arange(50_000.0)) == ()


def test_losses_that_are_not_finite_are_left_out() -> None:
    monitor = ConceptMonitor(ONLY_BETTING)
    assert monitor.observe([math.nan, math.inf, -1.0], [0.0, 1.0, 2.0]) == ()


@pytest.mark.parametrize("name", DETECTORS)
def test_each_river_detector_finds_a_large_rise_by_its_name(name: DetectorName) -> None:
    rng = np.random.default_rng(4)
    detector = LossDetector(name)
    calm = (rng.uniform(size=3000) < 0.1).astype(float)
    detector.update(calm)
    found = detector.update((rng.uniform(size=1500) < 0.8).astype(float))
    assert found


def test_a_falling_loss_is_no_alarm_of_a_two_sided_detector() -> None:
    rng = np.random.default_rng(5)
    detector = LossDetector("ADWIN")
    losses = np.r_[rng.uniform(size=3000) < 0.8, rng.uniform(size=3000) < 0.1].astype(float)
    assert detector.update(losses) == []


def test_evidence_is_taken_once_and_a_snapshot_goes_on_alike() -> None:
    rng = np.random.default_rng(6)
    losses = (rng.uniform(size=6000) < 0.2).astype(float)
    monitor = ConceptMonitor(ONLY_BETTING)
    monitor.observe(losses[:3000], np.arange(3000.0))
    again = ConceptMonitor.restore(json.loads(json.dumps(monitor.snapshot())), ONLY_BETTING)
    for one in (monitor, again):
        one.observe(losses[3000:], np.arange(3000.0, 6000.0))
    assert again.snapshot() == monitor.snapshot()
    worse = ConceptMonitor(ONLY_BETTING).fit(losses)
    worse.observe(np.ones(500), np.arange(500.0))
    assert worse.take_level() == 1.0
    assert worse.take_level() < 1.0
    worse.reset()
    assert worse.level == 0.0
    with pytest.raises(DamagedError):
        ConceptMonitor.restore({"learning": "x"}, ONLY_BETTING)
