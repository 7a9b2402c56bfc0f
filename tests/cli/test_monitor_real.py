"""The monitor of a real worker on real streams: what is known of them is found."""

import json
from contextlib import closing

import pytest

from stream.storage.store import Store
from tests.shared_data import shared_data

WAKE_UP = 17_424
"""Row of elec2 from which on the market of Victoria is known; constant before."""


@pytest.fixture(autouse=True)
def _nothing_is_retrained(monkeypatch):
    monkeypatch.setenv("RIVERRUN_RETRAIN__ENABLED", "false")


@pytest.fixture
def run(here, invoke):
    """Configure a stream of a real file, and run a worker over it; skip where it is not there."""

    def learn(name, **monitor):
        path = shared_data(name)
        assert invoke("init", path, "--name", "s").exit_code == 0
        config = here / "riverrun.toml"
        keys = "".join(f"{key} = {value}\n" for key, value in monitor.items())
        config.write_text(config.read_text().replace("[monitor]\n", f"[monitor]\n{keys}"))
        assert invoke("check").exit_code == 0
        assert invoke("produce", path).exit_code == 0
        assert invoke("worker", "--until-caught-up").exit_code == 0

    return learn


def test_elec2_names_the_three_columns_that_wake_up_within_four_panes(run, invoke):
    run("elec2.csv.gz")
    with closing(Store("sqlite:///riverrun.db", "s")) as store:
        panes = [stored.row for stored in reversed(store.history.panes())]
    three = {("feature", name) for name in ("vicprice", "vicdemand", "transfer")}
    warm_up, events = 10_000, 1_000
    woken = (WAKE_UP - warm_up) // events
    assert [pane.index for pane in panes] == list(range(35))
    for pane in panes[:woken]:
        assert not three & set(pane.summary.alarms)
    assert three <= {alarm for pane in panes[woken : woken + 4] for alarm in pane.summary.alarms}
    for pane in panes[woken + 4 :]:
        assert three <= set(pane.summary.alarms[:5])
    monitor = json.loads(invoke("status", "--json").stdout)["monitor"]
    assert monitor["state"] == "DRIFT"
    assert "vicprice" in invoke("status").stdout


def test_bike_sharing_grows_from_2011_to_2012(run, invoke):
    run("bike_sharing_hourly.csv.gz", warmup_events=8_000, pane_events=500)
    result = invoke("drift", "--from", "2012-01-01", "--to", "2013-01-01", "--json")
    assert result.exit_code == 1
    data = json.loads(result.stdout)
    drifted = {(f["role"], f["name"]) for f in data["features"] if f["verdict"] == "drift"}
    assert ("label", "label") in drifted
    assert ("feature", "yr") in drifted
    # The hours and the weekdays of 2012 are those of 2011, and the weather is nearly so.
    assert drifted <= {("label", "label"), ("feature", "yr"), ("prediction", "prediction")}
    (label,) = [f for f in data["features"] if f["role"] == "label"]
    top = label["bins"][-1]
    assert top["current"] > 3 * top["reference"]
    assert data["span"]["panes"] >= 16
