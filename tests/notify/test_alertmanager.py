"""The real Alertmanager takes the alerts, holds them, ends them, and passes them on."""

from __future__ import annotations

import time

import pytest

from serve.compose import Secrets
from serve.notify.courier import REPEAT_SECONDS, Courier
from serve.notify.couriers import alert_receivers
from stream.clock import SystemClock
from tests.conftest import real_thing
from tests.lines import make_config
from tests.notify.alertmanager import LocalAlertmanager
from tests.notify.scene import Writer, change, pane


class MovedClock(SystemClock):
    """The machine's clock, moved on by as much as wanted."""

    ahead = 0.0

    def monotonic(self):
        return super().monotonic() + self.ahead


@pytest.fixture
def alertmanager(tmp_path, listener):
    try:
        server = LocalAlertmanager(tmp_path, listener.url)
    except FileNotFoundError as missing:
        real_thing(missing)
        raise
    server.start()
    yield server
    server.stop()


@pytest.fixture
def bench(store, alertmanager):
    config = make_config(alerts={"alertmanager": alertmanager.url + "/"})
    clock = MovedClock()
    (receiver,) = alert_receivers(config, Secrets(), clock)
    store.outbox.begin(receiver.name)
    courier = Courier(store.outbox, receiver, clock, max_age_seconds=60, queue=10)
    return Writer(store), courier, clock


def eventually(ask, wanted):
    deadline = time.monotonic() + 15
    while (found := ask()) != wanted:
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def names(alertmanager):
    return sorted(alert["labels"]["alertname"] for alert in alertmanager.alerts())


def passed_on(listener):
    """Return what the pager was told, in order and without repeats."""
    found = []
    for received in listener.received:
        for alert in received.json["alerts"]:
            one = (alert["labels"]["alertname"], alert["status"])
            if one not in found:
                found.append(one)
    return found


def test_drift_is_held_passed_on_and_resolved(bench, alertmanager, listener):
    writer, courier, _ = bench
    now = time.time()
    writer.commit(now, pane(1, "DRIFT", "alert", concept=1.5), state="DRIFT")
    courier.turn()
    (held,) = alertmanager.alerts()
    assert held["labels"] == {"alertname": "RiverrunDrift", "stream": "s", "severity": "warning"}
    assert held["annotations"]["summary"].startswith("Drift in pane 1")
    assert held["status"]["state"] in ("active", "unprocessed")
    eventually(lambda: passed_on(listener), [("RiverrunDrift", "firing")])
    writer.commit(time.time(), state="OK")
    courier.turn()
    eventually(lambda: names(alertmanager), [])
    both = [("RiverrunDrift", "firing"), ("RiverrunDrift", "resolved")]
    eventually(lambda: passed_on(listener), both)


def test_what_merely_happened_is_shown_for_a_while(bench, alertmanager):
    writer, courier, _ = bench
    writer.commit(time.time() - 7_200, changes=(change(1, "promoted"), change(2, "rolled_back")))
    courier.turn()
    assert names(alertmanager) == ["RiverrunPromoted", "RiverrunRolledBack"]
    assert {alert["labels"]["version"] for alert in alertmanager.alerts()} == {"v2", "v3"}


def test_an_alertmanager_that_starts_anew_is_told_again_of_what_holds(bench, alertmanager):
    writer, courier, clock = bench
    writer.commit(time.time(), ("halted", {"message": "enough"}))
    courier.turn()
    alertmanager.stop()
    alertmanager.start()
    assert names(alertmanager) == []
    courier.turn()
    assert names(alertmanager) == []
    clock.ahead = REPEAT_SECONDS + 1
    courier.turn()
    assert names(alertmanager) == ["RiverrunHalted"]


def test_an_alertmanager_that_is_away_is_told_when_it_is_back(bench, alertmanager, store):
    writer, courier, _ = bench
    alertmanager.stop()
    writer.commit(time.time(), pane(1, "HALTED", "pause", "alert"), state="HALTED")
    assert courier.turn() > 0
    assert store.outbox.deliveries()["alertmanager"].failed == 1
    alertmanager.start()
    courier.turn()
    assert names(alertmanager) == ["RiverrunLearningPaused"]
