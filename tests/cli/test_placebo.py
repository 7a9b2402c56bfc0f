"""``riverrun placebo``: the achieved rate of false alarms beside the stated one."""

import json
import random

import pytest
from scipy import stats

from serve.cli.placebo_run import PlaceboRun, poisson_interval
from serve.cli.placebo_view import interpretation, verdict


@pytest.fixture
def steady(here):
    """Twelve thousand independent events."""
    rng = random.Random(1)
    rows = (f"{rng.gauss(0, 1):.4f},{rng.choice('abc')}\n" for _ in range(12_000))
    (here / "steady.csv").write_text("x,c\n" + "".join(rows))
    return here / "steady.csv"


def run(alarms, panes=10_000, stated=0.001):
    low, high = poisson_interval(alarms)
    return PlaceboRun(
        name="f", rows=1, columns=1, resample="panes", pool=8, pane_events=1000, panes=panes,
        alarms=alarms, stated=stated, low=low / panes, high=high / panes, by_column={"x": alarms},
        left_out={},
    )  # fmt: skip


@pytest.mark.parametrize("resample", ["panes", "events"])
def test_independent_events_keep_to_the_budget(steady, invoke, resample):
    arguments = ("--resample", resample, "--false-alarms", "1 per 100 panes", "--panes", "400")
    result = invoke("placebo", steady, *arguments, "--json")
    assert result.exit_code == 0
    data = json.loads(result.stdout)
    assert (data["panes"], data["stated"], data["pool"]) == (400, 0.01, 12)
    assert data["low"] <= data["achieved"] <= data["high"]
    assert data["low"] <= 0.015
    assert invoke("placebo", steady, *arguments, "--json").stdout == result.stdout


def test_the_table_shows_stated_achieved_and_a_sentence(steady, invoke):
    result = invoke("placebo", steady, "--panes", "100", "--pane-events", "500")
    assert result.exit_code == 0
    for text in ("stated", "achieved", "95 % interval", "panes of 500 events"):
        assert text in result.stdout


def test_panes_that_differ_are_blamed_on_their_column(here, invoke):
    rng = random.Random(2)
    rows = (f"{n // 500 % 2 + rng.gauss(0, 0.5):.3f},{rng.random():.3f}\n" for n in range(12_000))
    (here / "a.csv").write_text("moody,calm\n" + "".join(rows))
    result = invoke("placebo", "a.csv", "--panes", "200", "--pane-events", "500")
    assert "More alarms than stated, first of all by moody" in result.stdout


def test_the_interval_is_that_of_a_poisson_count():
    for count in (0, 1, 10, 300):
        low, high = poisson_interval(count)
        if count:
            assert stats.poisson.sf(count - 1, low) == pytest.approx(0.025)
        assert stats.poisson.cdf(count, high) == pytest.approx(0.025)


def test_each_outcome_has_its_sentence():
    outcomes = {alarms: verdict(run(alarms)) for alarms in (0, 10, 100)}
    assert outcomes == {0: "fewer", 10: "agrees", 100: "more"}
    assert verdict(run(0, panes=200)) == "unknown"
    assert "--panes 10000" in interpretation(run(0, panes=200))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["short.csv"], "4,000 are needed for 4 panes of 1,000 events"),
        (["none.csv"], "no such file"),
        (["short.csv", "--columns", "q"], "no row of short.csv has a column 'q'"),
        (["short.csv", "--ignore", "x"], "no column is left"),
        (["short.csv", "--false-alarms", "2 per day"], "--false-alarms"),
    ],
)
def test_what_cannot_be_used_leaves_with_2(here, invoke, arguments, message):
    (here / "short.csv").write_text("x\n" + "".join(f"{n % 7}\n" for n in range(300)))
    result = invoke("placebo", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
