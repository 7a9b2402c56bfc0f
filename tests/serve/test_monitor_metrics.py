"""The monitor in ``/metrics`` and in the status: of a real worker, parsed as a server parses it."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from monitor.labels import FEATURES_MAX
from serve.api.models import StreamStatus
from tests.serve.watched import EVENTS, PANE, WARM_UP, watched_event, watched_world

LONG = 600


def scrape(client) -> dict[tuple[str, frozenset], float]:
    """Return all samples by name and labels."""
    text = client.get("/metrics").text
    return {
        (sample.name, frozenset((sample.labels | {"stream": ""}).items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def key(name: str, **labels: str) -> tuple[str, frozenset]:
    return f"riverrun_{name}", frozenset((labels | {"stream": ""}).items())


@pytest.fixture(scope="module")
def halted(tmp_path_factory):
    """A stream in whose last two panes every event is wrong."""
    world = watched_world(tmp_path_factory.mktemp("world"))
    bad = range(EVENTS, EVENTS + PANE)
    world.append(*(watched_event(number) | {"x": "text"} for number in bad))
    world.append(*(watched_event(EVENTS + PANE + number) for number in range(5)))
    world.work()
    yield world
    world.close()


def test_metrics_are_what_the_newest_checkpoint_says(halted):
    status = halted.store.newest().status
    totals = status["monitor"]["totals"]
    with halted.api() as client:
        found = scrape(client)
    assert found[key("monitor_panes_total")] == totals["panes"] == (EVENTS + PANE - WARM_UP) / PANE
    assert found[key("monitor_events_total")] == EVENTS + PANE + 5
    assert found[key("monitor_event_errors_total")] == PANE
    assert found[key("monitor_anomalies_total", kind="wrong_type", feature="x")] == PANE
    assert found[key("monitor_anomalies_total", kind="wrong_type", feature="z")] == 0
    alarms = totals["alarms"]["feature"]["x"]
    assert found[key("monitor_skew_alarms_total", role="feature", feature="x")] == alarms > 3
    assert found[key("monitor_state", state="HALTED")] == 1
    assert found[key("monitor_state", state="OK")] == 0
    assert found[key("monitor_actions_total", action="pause")] == 1
    assert found[key("monitor_signal", signal="error_fraction")] == 1
    assert found[key("unlearned_total")] == status["counts"]["unlearned"] == 5
    assert found[key("monitor_open_pane_events")] == 5
    assert found[key("monitor_pane_timestamp_seconds")] == EVENTS + PANE - 1
    assert found[key("monitor_warm_up_ratio")] == 1
    losses = status["monitor"]["performance"]["mean_loss"]
    for of in ("model", "no_change", "majority"):
        assert found[key("monitor_mean_loss", of=of)] == losses[of]
    band = status["monitor"]["estimate"]["expected"]["accuracy"]
    assert found[key("monitor_expected", metric="accuracy", bound="low")] == band["low"]


def test_the_status_says_whether_learning_pauses_and_what_is_in_alarm(halted, make_world):
    with halted.api() as client:
        status = StreamStatus.model_validate(client.get("/v1/streams/flights").json())
        assert client.get("/readyz").status_code == 200
        assert client.get(status.monitor.url).status_code == 200
    assert (status.monitor.state, status.monitor.learning) == ("HALTED", False)
    assert status.monitor.pane == (EVENTS + PANE - WARM_UP) / PANE - 1
    world = make_world()
    with world.api() as client:
        assert client.get("/v1/streams/flights").json()["monitor"] is None
    world.learn(20)
    with world.api() as client:
        status = StreamStatus.model_validate(client.get("/v1/streams/flights").json())
    assert (status.monitor.warm_up_events, status.monitor.learning) == (20, True)
    assert status.monitor.pane is None


def test_series_are_bounded_whatever_features_are_called(tmp_path):
    names = ["<img onerror=x>", "two\nlines", 'quo"te', "other", "a/b", "back\\slash"]
    names += [f"f{number}" for number in range(500 - len(names))]
    # So long that the label has a reference, too.
    world = watched_world(tmp_path, 0, monitor={"warmup_events": LONG})
    events = []
    for number in range(LONG + PANE):
        row = watched_event(number) | {name: float(number % 7) for name in names}
        events.append(row | {f"never seen {number}": 1} if number >= LONG else row)
    world.append(*events)
    world.work()
    with world.api() as client:
        found = scrape(client)
    series = [dict(labels)["feature"] for name, labels in found if name.endswith("skew_ratio")]
    # A feature that is called other shares the series of the rest; the label has its own.
    assert len(series) == len(set(series)) == FEATURES_MAX + 1
    assert key("monitor_skew_ratio", role="label", feature="label") in found
    assert set(names[:6]) <= set(series)
    assert not any("never seen" in str(labels) for _, labels in found)
    unexpected = key("monitor_anomalies_total", kind="unexpected_feature", feature="other")
    assert found[unexpected] == PANE
    assert found[key("monitor_labels_cut_total")] >= PANE
    world.close()


def test_a_monitor_that_is_switched_off_has_no_metrics_and_no_status(make_world):
    world = make_world(monitor={"enabled": False})
    world.learn(20)
    with world.api() as client:
        assert not [name for name, _ in scrape(client) if "monitor" in name]
        assert client.get("/v1/streams/flights").json()["monitor"] is None


def test_counters_of_the_monitor_are_there_before_the_first_checkpoint(make_world):
    with make_world().api() as client:
        found = scrape(client)
    assert found[key("monitor_panes_total")] == 0
    assert found[key("monitor_anomalies_total", kind="volume", feature="other")] == 0
    assert found[key("unlearned_total")] == 0
