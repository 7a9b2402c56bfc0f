"""What a real worker writes down is understood: drift, a promotion, and learning that pauses."""

from __future__ import annotations

import pytest

from stream.errors import HaltedError
from tests.lines import PIPELINE, SMALL_MONITOR, event, make_config, new_records
from tests.notify.test_alerts import Told
from tests.stream.test_lifecycle import RETRAIN, SLOW, bench_of, drive, pieces
from tests.stream.test_worker import Bench


@pytest.fixture(autouse=True)
def _polls_do_not_wait(monkeypatch):
    monkeypatch.setattr("stream.worker._POLL_SECONDS", 0.0)


def test_a_challenger_that_is_promoted(store_url):
    bench = bench_of(store_url, model={"pipeline": SLOW})
    told = Told(bench.store, on=("began", "promoted", "kept", "rejected", "failed"))
    drive(bench, bench.worker(), pieces(0, 1_500))
    bench.config = make_config(monitor=SMALL_MONITOR, retrain=RETRAIN)
    drive(bench, bench.worker(), pieces(1_500, 3_500))
    alerts = told.take()
    assert [alert.kind for alert in alerts[:3]] == ["began", "promoted", "kept"]
    assert alerts[1].version == "v2"
    assert "v2 is better than v1 on" in alerts[1].summary
    assert alerts[1].detail["challenger_loss"] < alerts[1].detail["champion_loss"]
    bench.store.close()


def test_a_world_that_turns_round_and_settles(store_url):
    bench = bench_of(store_url)
    told = Told(bench.store, on=("drift",))
    worker = bench.worker()
    drive(bench, worker, pieces(0, 600))
    assert told.take() == []
    drive(bench, worker, pieces(600, 700, flip=True))
    (drift,) = told.take()
    assert (drift.kind, drift.status) == ("drift", "firing")
    assert drift.detail["state"] == "DRIFT"
    bench.store.close()


def test_a_halt_is_in_the_checkpoint_that_it_came_with(store_url):
    bench = Bench(store_url, dead_letters={"window": 10, "max_share": 0.5})
    told = Told(bench.store)
    bench.produce(new_records("s.events", [b'{"broken'] * 20))
    with pytest.raises(HaltedError) as halt:
        bench.run()
    (alert,) = told.take()
    assert (alert.kind, alert.detail["message"]) == ("halted", str(halt.value))
    assert alert.started_at == bench.store.newest().created_at
    bench.store.close()


def test_learning_pauses_and_goes_on(store_url):
    bench = bench_of(store_url, model={"pipeline": f"compose.Select('a') | {PIPELINE}"})
    told = Told(bench.store, on=("paused",))
    worker = bench.worker()
    drive(bench, worker, pieces(0, 200))
    broken = [event(n, True, b="text") for n in range(200, 260)]
    drive(bench, worker, [new_records("s.events", broken)])
    (paused,) = told.take()
    assert paused.summary.startswith("Learning is paused: 100.0% of pane")
    drive(bench, worker, pieces(300, 400))
    (over,) = told.take()
    assert (over.kind, over.status) == ("paused", "resolved")
    bench.store.close()
