"""What ``status`` and the live lines show of the monitor."""

import io
import json

import pytest
from rich.console import Console

from tests.cli.watched import MINUTE, START, rows, write_stream

HOSTILE = "\x1b[31m[red]"


@pytest.fixture(autouse=True)
def _nothing_is_retrained(monkeypatch):
    monkeypatch.setenv("RIVERRUN_RETRAIN__ENABLED", "false")


@pytest.fixture
def stream(here, invoke):
    """Run a worker over events; return its status as a page of 80 columns, and as data."""
    write_stream(here)

    def run(text):
        assert invoke("produce", "-", stdin=text).exit_code == 0
        assert invoke("worker", "--until-caught-up").exit_code == 0
        data = json.loads(invoke("status", "--json").stdout)
        return " ".join(invoke("status").stdout.split()), data

    return run


def test_the_warm_up_shows_how_far_it_is(stream):
    shown, data = stream(rows(0, 250))
    assert "OK; warming up, 250 of 1,000 events" in shown
    assert data["monitor"]["warm_up"] == {"events": 250, "wanted": 1000}


def test_a_quiet_stream_is_ok_and_the_expected_stands_beside_the_realised(stream):
    shown, data = stream(rows(0, 2_950))
    assert data["monitor"]["totals"]["panes"] == 19
    assert "19 panes closed, 50 events in the open one" in shown
    assert "schema inferred, 3 features; 0 of 2,950 events in error" in shown
    assert "expected ROC AUC 0." in shown
    assert ", realised 0." in shown
    assert "labels 1,950 came, for 1,950 predictions (100.0%); delay <1s for half" in shown


def test_drift_names_the_columns_and_what_is_wanted(stream):
    shown, data = stream(rows(0, 2_000) + rows(2_000, 2_500, shift=3.0))
    assert data["monitor"]["last_pane"]["alarms"][0] == ["feature", "a"]
    assert data["monitor"]["state"] in ("WARNING", "DRIFT")
    assert f"monitor {data['monitor']['state']}, wants a" in shown
    assert "in alarm a " in shown
    assert "(times the threshold, in pane 14)" in shown


def test_a_change_of_concept_is_listed(stream):
    flipped = (json.loads(line) for line in rows(1_500, 2_500).splitlines())
    text = "".join(json.dumps(row | {"y": not row["y"]}) + "\n" for row in flipped)
    shown, data = stream(rows(0, 1_500) + text)
    assert data["monitor"]["drifts"]
    assert "changes so far, the last: " in shown or "change so far, the last: " in shown


def test_a_halt_is_loud_and_says_what_is_wrong(stream):
    shown, data = stream(rows(0, 1_100) + rows(1_100, 1_150, a="much") + rows(1_150, 1_250))
    assert data["monitor"]["state"] == "HALTED"
    unlearned = data["counts"]["unlearned"]
    assert unlearned == 50
    assert "monitor HALTED; 2 panes closed, 50 events in the open one LEARNING PAUSES: " in shown
    assert f"{unlearned} labels were not learned from" in shown
    group = data["monitor"]["anomaly_groups"][0]
    assert (group["kind"], group["feature"], group["count"]) == ("wrong_type", "a", 50)
    assert "50 of 1,250 events in error" in shown
    assert "wrong_type in a: 50 errors, the last 2025-01-01 19:09; found 'mucx'" in shown


def test_a_halt_that_is_over_is_still_counted(stream):
    shown, _ = stream(rows(0, 1_100) + rows(1_100, 1_150, a="much") + rows(1_150, 1_400))
    assert "LEARNING PAUSES" not in shown
    assert "labels were not learned from while learning paused" in shown


def test_names_of_a_stranger_move_no_cursor(stream):
    fields = {HOSTILE: 1.0, "n" * 100: 1.0}
    moved = {HOSTILE: 9.0, "n" * 100: 9.0}
    shown, data = stream(rows(0, 1_000, **fields) + rows(1_000, 1_500, **moved))
    assert ["feature", HOSTILE] in data["monitor"]["last_pane"]["alarms"]
    assert "\x1b" not in shown
    assert "\\x1b[31m[red]" in shown
    assert "n" * 40 not in shown


def test_a_page_of_80_columns_holds_it(stream):
    from serve.cli.status_view import status_view

    _, data = stream(rows(0, 2_000, **{"n" * 100: 1.0}) + rows(2_000, 2_500, **{"n" * 100: 5.0}))
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(status_view(data))
    lines = console.export_text().splitlines()
    assert max(map(len, lines)) <= 80
    assert len([line for line in lines if line.startswith(("monitor ", "schema ", "loss "))]) == 3


def test_a_monitor_that_is_off_is_not_shown(here, invoke):
    write_stream(here, "enabled = false\n")
    invoke("produce", "-", stdin=rows(0, 50))
    assert invoke("worker", "--until-caught-up").exit_code == 0
    assert "monitor" not in invoke("status").stdout
    assert json.loads(invoke("status", "--json").stdout)["monitor"] is None


def test_the_live_line_has_the_monitor_in_a_few_words(here, invoke):
    from serve.cli.worker_progress import WorkerProgress
    from stream.build import line_factory
    from stream.load_config import load_config
    from stream.records import Record

    path = write_stream(here)
    config = load_config(path)
    line = line_factory(config)("v1")
    progress = WorkerProgress(config, path)
    text = (rows(0, 1_500) + rows(1_500, 2_000, shift=3.0)).encode()
    now = START + 2_000 * MINUTE
    events = [Record("s.events", 0, i, now, None, row) for i, row in enumerate(text.splitlines())]
    line.handle(events[:250], now)
    assert "monitor warming up 25%" in progress._text(line, 0.0).plain
    line.handle(events[250:], now)
    shown = progress._text(line, 0.0).plain
    assert "10 panes, in alarm: a" in shown
