"""A run for lost performance is asked for once, and its model is judged by its own confidence."""

from __future__ import annotations

from monitor.performance import Performance
from stream.lifecycle.live import by_schedule
from stream.lifecycle.run import Run
from stream.watching.leads import Leads
from stream.watching.outlook import Outlook
from tests.lines import SMALL_MONITOR, event, make_config, make_line, records, truth

ONLY = {"drift": False, "skew": False, "performance": True, "performance_drop": 0.1}


def surprised(leads: Leads, by: float) -> None:
    """Close a pane whose accuracy is below what was expected."""
    leads.close_pane(Performance(), (0.9, 0.9 - by, 500))


def test_a_surprise_that_a_run_has_answered_asks_for_no_other():
    leads = Leads()
    surprised(leads, 0.15)
    assert leads.drop(0.1) is not None
    leads.begin_anew()
    surprised(leads, 0.15)
    assert leads.drop(0.1) is None
    surprised(leads, 0.26)
    assert leads.drop(0.1) is not None


def test_a_surprise_that_went_away_may_come_back():
    leads = Leads()
    surprised(leads, 0.15)
    leads.begin_anew()
    surprised(leads, 0.0)
    surprised(leads, 0.15)
    assert leads.drop(0.1) is not None


def test_a_promoted_model_is_not_held_to_the_confidence_of_the_one_before():
    outlook = Outlook("binary", calibration_labels=100)
    for labels in ([True] * 100, [False] * 100):
        outlook.predicted([0.8] * 100)
        outlook.labelled(labels, [0.8] * 100)
        outlook.close_pane()
    assert outlook.accuracy() is not None
    outlook.begin_anew()
    assert outlook.accuracy() is None
    assert outlook.calibrator is None


def test_a_run_for_lost_performance_trains_on_what_came_after_a_known_change():
    """Trained on everything it would be the champion over again."""
    config = make_config(
        monitor=SMALL_MONITOR, retrain=ONLY, model={"pipeline": "naive_bayes.GaussianNB()"}
    )
    line = make_line(config)
    rows = [event(n, truth(n) != (n >= 1_000)) for n in range(2_000)]
    line.handle(records("s.events", rows), 0)
    run = line.lifecycle.run
    assert isinstance(run, Run)
    assert run.requests[0].trigger == "performance"
    assert run.since is not None
    assert 900_000 <= run.since <= 1_300_000


def test_a_schedule_counts_from_the_first_time_it_is_looked_at():
    line = make_line(make_config(monitor=SMALL_MONITOR, retrain=ONLY))
    line.handle(records("s.events", [event(n, truth(n)) for n in range(300)]), 0)
    assert by_schedule(line, "1h", 1_000.0)
    assert not by_schedule(line, "1h", 4_599.0)
    assert by_schedule(line, "1h", 4_600.0)
    assert line.lifecycle.run is not None
    assert not by_schedule(line, None, 9e9)
