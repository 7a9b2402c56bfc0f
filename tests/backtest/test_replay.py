"""Policies on history: what they do is what the line, its gate and its lifecycle do."""

from __future__ import annotations

import pytest

from serve.backtest.history import Delay, delayed
from stream.backtest.policies import POLICIES, under
from stream.backtest.replay import Replay
from stream.clock import SystemClock
from stream.digest import state_digest
from stream.events import Decoder
from stream.labels import LabelReader
from stream.lifecycle.lifecycle import Lifecycle
from stream.line import Line
from tests.backtest.streams import CHANGE, history, small_config

RECORDS = history(3_500)


def replayed(policy, records=RECORDS, config=None, **options):
    return Replay(config or small_config(), records, policy, SystemClock(), **options).run()


@pytest.fixture(scope="module")
def results():
    return {policy: replayed(policy) for policy in ("never", "drift")}


def test_drift_beats_never_after_an_abrupt_change(results):
    never, drift = results["never"], results["drift"]
    assert never.runs == []
    assert never.labelled == drift.labelled == 3_500
    assert drift.count("promoted") == 1
    assert drift.count("wasted") == 0
    assert drift.loss < 0.8 * never.loss
    run = drift.runs[0]
    assert run.trigger == "drift"
    assert CHANGE < run.began <= run.trained < run.promoted
    assert run.learned < CHANGE


def test_the_delay_after_a_known_change_is_told(results):
    (after,) = results["drift"].answers([CHANGE + 1])
    run = results["drift"].runs[0]
    assert after.noticed == run.began - CHANGE - 1
    assert after.promoted == run.promoted - CHANGE - 1
    assert after.promoted < after.recovered < 1_500
    (never,) = results["never"].answers([CHANGE + 1])
    assert (never.noticed, never.promoted, never.recovered) == (None, None, None)


def test_nothing_is_promoted_on_a_stationary_stream():
    stationary = history(3_500, change=None)
    for policy in ("drift", "performance"):
        found = replayed(policy, stationary)
        assert found.count("promoted") == 0
        assert found.loss == replayed("never", stationary).loss


def test_the_same_arguments_give_the_same_result(results):
    again = replayed("drift")
    assert again.losses.tolist() == results["drift"].losses.tolist()
    plain = [(r.began, r.trained, r.promoted, r.ended, r.sentence) for r in again.runs]
    assert plain == [
        (r.began, r.trained, r.promoted, r.ended, r.sentence) for r in results["drift"].runs
    ]


def test_never_is_the_line_as_it_runs_without_retraining(results):
    config = under(small_config(), "never")
    replay = Replay(config, RECORDS, "never", SystemClock())
    replay.run()
    from stream.build import line_factory

    line = line_factory(config)("v1")
    line.handle(RECORDS, 0)
    assert state_digest(replay.line) == state_digest(line)
    assert replay.line.lifecycle is None


def test_periodic_trains_anew_every_so_many_labels():
    found = replayed("periodic", every=1_000)
    assert [run.trigger for run in found.runs] == ["labels"] * len(found.runs)
    assert [run.began for run in found.runs] == [1_000, 2_000, 3_000]


def test_periodic_follows_a_schedule_in_event_time():
    config = small_config(retrain={"schedule": "20h"})
    found = replayed("periodic", config=config)
    assert [run.trigger for run in found.runs] == ["schedule"] * 2
    assert found.runs[0].began == 1_300


def test_always_trains_whenever_a_pane_closes_and_nothing_is_under_way():
    found = replayed("always", history(2_000))
    assert [run.began for run in found.runs] == [600, 1_400]
    assert found.runs[0].ended == 1_400


def test_the_switches_of_every_policy():
    config = small_config(retrain={"labels": 700, "skew": False})
    found = {policy: under(config, policy).retrain for policy in POLICIES}
    assert not found["never"].enabled
    assert found["periodic"].labels == 700
    assert (found["drift"].drift, found["drift"].skew, found["drift"].labels) == (True, False, None)
    assert found["performance"].performance
    assert not found["performance"].drift
    assert found["always"].max_per_day > 1_000
    assert found["configured"] == config.retrain


def test_a_challenger_taught_nonsense_is_a_wasted_retrain(monkeypatch):
    from stream.backtest import replay

    class Nonsense(replay.LocalTrainer):
        def _train(self, line, run, position):
            original = Line.handle

            def taught(self, records, now):
                learn = self.learner.model.learn_one
                self.learner.model.learn_one = lambda x, y: learn(x, not y)
                step = original(self, records, now)
                del self.learner.model.learn_one
                return step

            monkeypatch.setattr(Line, "handle", taught)
            super()._train(line, run, position)
            monkeypatch.setattr(Line, "handle", original)

    monkeypatch.setattr(replay, "LocalTrainer", Nonsense)
    found = replayed("periodic", history(2_500, change=None), every=1_000)
    assert found.count("promoted") == 0
    assert found.count("wasted") == len(found.runs) == 2


def test_labels_that_are_held_back_delay_what_is_learned():
    config = small_config()
    decoder = Decoder(config.event, LabelReader("binary", None))
    for delay in (Delay(events=200), Delay(milliseconds=200 * 60_000)):
        pairs = ((decoder.event(record), record) for record in RECORDS[:1_000])
        records = [record for _, record in delayed(pairs, config, delay)]
        assert sum(record.topic == "s.labels" for record in records) == 800
        assert all(b'"y"' not in r.value for r in records if r.topic == "s.events")
        found = replayed("never", records)
        assert (found.events, found.labelled) == (1_000, 800)
        assert found.at.min() > 200


def test_lifecycles_of_a_replay_keep_no_models():
    replay = Replay(small_config(), RECORDS, "drift", SystemClock())
    replay.run()
    assert isinstance(replay.line.lifecycle, Lifecycle)
    assert replay.line.lifecycle.kept == []
