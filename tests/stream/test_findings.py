"""What the worker says of the monitor's findings: short, once, and as loud as it should be."""

from __future__ import annotations

from monitor.drift import ConceptDrift
from stream.watching.findings import Finding
from stream.watching.pane_row import PaneRow, PaneSummary


def pane(state="OK", actions=(), alarms=(), index=3):
    summary = PaneSummary(state, list(actions), {}, [], [("feature", a) for a in alarms], [], [])
    return PaneRow(index, "v1", "", 0.0, 1.0, 20, 0, b"", b"", {}, summary)


def found(now, before=None):
    return Finding("pane", 1_000, pane=now, before=before)


def test_a_quiet_pane_is_not_told_and_what_is_known_is_not_told_again():
    assert not found(pane()).is_told
    assert not found(pane(), pane()).is_told
    assert not found(pane("DRIFT", alarms=["a"]), pane("DRIFT", alarms=["a", "b"])).is_told


def test_another_state_and_a_column_newly_in_alarm_are_told_though_nothing_is_wanted():
    assert found(pane("DRIFT", alarms=["a", "b"]), pane("DRIFT", alarms=["a"])).is_told
    assert found(pane(), pane("WARNING")).is_told
    assert found(pane("WARNING", alarms=["a"])).is_told


def test_trouble_is_what_is_wrong_and_not_what_is_over():
    assert found(pane("DRIFT", ["alert"])).is_trouble
    assert found(pane("DRIFT", alarms=["a"])).is_trouble
    assert Finding("concept_drift", 0, drift=ConceptDrift("ADWIN", 2.0, 1.0, 40)).is_trouble
    assert not found(pane(actions=["resume"]), pane("HALTED")).is_trouble
    assert not Finding("schema", 0, actions=("resume",)).is_trouble
    assert not Finding("reference", 0).is_trouble


def test_a_line_is_short_and_has_times_as_people_read_them():
    alarms = [f"f{number}" for number in range(40)]
    assert found(pane("WARNING", ["alert"], alarms, index=0)).line() == {
        "at": "1970-01-01T00:00:01Z",
        "pane": 0,
        "state": "WARNING",
        "wants": ["alert"],
        "alarms": ["f0", "f1", "f2", "f3", "f4", "and 35 more"],
    }
    drift = Finding("concept_drift", 2_500, drift=ConceptDrift("ADWIN", 2.5, 1.0, 40))
    assert drift.line() == {
        "at": "1970-01-01T00:00:02.500Z",
        "by": "ADWIN",
        "since": "1970-01-01T00:00:01Z",
        "losses": 40,
    }
