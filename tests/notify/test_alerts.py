"""What happened becomes alerts: each told once, and over when it is."""

from __future__ import annotations

import pytest

from serve.notify.alerts import KINDS, choosing, read_alert
from stream.storage.store import Store
from stream.telling_sections import AlertsSection
from tests.notify.scene import Writer, change, pane

DEFAULT = AlertsSection().on


class Told:
    """A receiver's view of a store: take, then read what came of it."""

    def __init__(self, store, on=DEFAULT):
        self.store, self.choose = store, choosing("s", on)
        store.outbox.begin("r")

    def take(self):
        self.store.outbox.take("r", self.choose)
        found = self.store.outbox.waiting("r", 100)
        for one in found:
            self.store.outbox.delivered("r", one, 0.0)
        return [read_alert(one.message.data) for one in found]


def said(alerts):
    return [(alert.kind, alert.status) for alert in alerts]


@pytest.fixture
def writer(store):
    return Writer(store)


@pytest.fixture
def told(store, writer):
    return Told(store)


def test_every_kind_that_can_be_configured_is_known():
    allowed = AlertsSection.model_json_schema()["properties"]["on"]["items"]["enum"]
    assert set(KINDS) == {*allowed, "test"}


def test_drift_is_told_once_and_ends_when_the_state_is_left(writer, told):
    writer.commit(1.0, pane(1, "DRIFT", "alert", "retrain", concept=1.2), state="RETRAINING")
    (first,) = told.take()
    assert (first.kind, first.status, first.severity) == ("drift", "firing", "warning")
    assert first.summary == "Drift in pane 1: the loss changed, and these values: amount, country"
    assert first.detail["signals"]["concept"] == 1.2
    writer.commit(2.0, pane(2, "DRIFT", "alert"), state="COOLDOWN")
    assert told.take() == []
    writer.commit(3.0, state="OK")
    (over,) = told.take()
    assert (over.id, over.status) == (f"{first.id}/resolved", "resolved")
    assert (over.started_at, over.ended_at) == (1.0, 3.0)
    writer.commit(4.0, pane(9, "DRIFT", "alert"), state="DRIFT")
    (again,) = told.take()
    assert again.id != first.id


def test_learning_that_pauses_and_goes_on(writer, told):
    halted = pane(4, "HALTED", "pause", "alert", error_fraction=0.25)
    writer.commit(1.0, halted, state="HALTED")
    (paused,) = told.take()
    assert (paused.kind, paused.severity) == ("paused", "critical")
    assert paused.summary == "Learning is paused: 25.0% of pane 4 breaks the schema"
    writer.commit(2.0, state="HALTED")
    assert told.take() == []
    writer.commit(3.0, pane(8, "OK", "resume"), state="OK")
    assert said(told.take()) == [("paused", "resolved")]


def test_a_corrected_schema_ends_the_pause(writer, told):
    writer.commit(1.0, pane(4, "HALTED", "pause", "alert"), state="HALTED")
    told.take()
    writer.commit(2.0, ("schema", {"time": 1, "wanted": ["resume"]}), state="WARNING")
    assert said(told.take()) == [("paused", "resolved")]


def test_a_halt_holds_until_a_worker_commits_again(writer, told):
    writer.commit(1.0, ("halted", {"message": "600 of 1,000 were dead letters"}))
    (halt,) = told.take()
    assert halt.summary == "The worker stopped: 600 of 1,000 were dead letters"
    assert told.take() == []
    again = ("halted", {"message": "601 of 1,000 were dead letters"})
    writer.commit(2.0, again)  # a restart that stops at the next dead letter
    assert told.take() == []
    writer.commit(3.0)
    assert said(told.take()) == [("halted", "resolved")]


@pytest.mark.parametrize("state", ["promoted", "rejected", "failed", "rolled_back"])
def test_what_becomes_of_a_run_is_told(writer, told, state):
    sentence = "v4 is better than v1 on 600 events."
    writer.commit(1.0, changes=(change(3, "shadow"), change(3, state, sentence, labels=600)))
    (alert,) = told.take()
    assert (alert.kind, alert.status, alert.version, alert.summary) == (
        state,
        "firing",
        "v4",
        sentence,
    )
    assert (alert.id, alert.detail["labels"], alert.detail["run"]) == (f"s/{state}/run/3", 600, 3)


def test_only_what_is_wanted_is_told(store, writer):
    told = Told(store, on=("rolled_back",))
    writer.commit(1.0, pane(1, "DRIFT", "alert"), changes=(change(1, "promoted"),), state="DRIFT")
    writer.commit(2.0, changes=(change(1, "rolled_back"),))
    assert said(told.take()) == [("rolled_back", "firing")]


def test_the_same_change_after_going_back_has_the_same_id(writer, told, store):
    writer.commit(1.0)
    writer.commit(2.0, changes=(change(1, "promoted"),))
    (first,) = told.take()
    store.go_back_to(writer.claim, 1)
    writer.commit(3.0, changes=(change(1, "promoted"),))
    (again,) = told.take()
    assert again.id == first.id


def test_what_came_before_the_receiver_is_not_told(store, writer):
    writer.commit(1.0, pane(1, "DRIFT", "alert"), changes=(change(1, "promoted"),), state="DRIFT")
    assert Told(store).take() == []


def test_recovery_and_a_wrong_schema_are_told(writer, told, store):
    store.record("gap", {"partition": "t-0", "first": 1, "last": 9}, 1.0)
    store.record("checkpoint_damaged", {"message": "it is damaged"}, 2.0)
    store.record("reference", {"time": 1, "wanted": []}, 3.0)
    writer.commit(4.0, ("schema_refused", {"message": "no TOML"}))
    alerts = told.take()
    assert said(alerts) == [("recovery", "firing")] * 2 + [("schema", "firing")]
    assert alerts[1].summary == "A checkpoint is damaged and was passed over: it is damaged"
    assert alerts[0].detail["first"] == 1


def test_what_the_monitor_only_noted_is_not_told(writer, told):
    writer.commit(
        1.0, pane(1, "WARNING", "challenge"), ("concept_drift", {"time": 1, "wanted": []})
    )
    assert told.take() == []


def test_streams_of_one_store_do_not_hear_of_one_another(store_url, store, writer, told):
    other = Store(store_url, "t")
    Writer(other).commit(1.0, pane(1, "DRIFT", "alert"), state="DRIFT")
    other.close()
    assert told.take() == []
