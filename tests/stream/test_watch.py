"""The monitor on the line: what is rejected, counted, found, paused, and kept over restarts."""

from __future__ import annotations

import random
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.panes import Pane, merge
from monitor.schema import Schema
from monitor.schema_text import schema_to_toml
from stream.digest import state_digest
from stream.records import Record
from stream.snapshot import mark_committed, restore, take_snapshot
from stream.status import status_of
from stream.watching.pane_row import unpack_scores
from tests.lines import PIPELINE, SMALL_MONITOR, event, make_config, make_line, records, truth

NOW = 2_000_000
LOOSE = {"minimum": None, "maximum": None, "domain": None}


def watched(number: int, *, shift: float = 0.0, labelled: bool = True, **fields):
    """Return an event with two numbers and a category, and its label in it."""
    rng = random.Random(number)
    row = event(number, truth(number) if labelled else None)
    row["a"] += shift
    row["c"] = rng.choice("xyz")
    return row | fields


def small_config(**monitor):
    return make_config(
        monitor=SMALL_MONITOR | monitor,
        model={"pipeline": f"compose.Select('a', 'b') | {PIPELINE}"},
    )


def handled(config, rows, start=0):
    line = make_line(config)
    step = line.handle(records("s.events", rows, start), NOW)
    return line, step


def faulty_records(seed: int, count: int = 420):
    """Return events and labels with shifts, faults, repeats, late and early labels among them."""
    rng = random.Random(seed)
    rows: list[Record] = []
    offsets = {"s.events": 0, "s.labels": 0}

    def add(topic, row):
        rows.extend(records(topic, [row], offsets[topic]))
        offsets[topic] += 1

    for number in range(count):
        shift = 2.0 if number > 300 else 0.0
        inside = rng.random() < 0.5
        row = watched(number, shift=shift, labelled=inside)
        kind = rng.random()
        if kind < 0.04:
            row["a"] = "wrong"
        elif kind < 0.06:
            row["z"] = 1
        elif kind < 0.08:
            del row["b"]
        add("s.events", row)
        if not inside:
            add("s.labels", {"id": f"e{number - rng.randrange(-2, 9)}", "y": truth(number)})
        if rng.random() < 0.05:
            add("s.events", watched(max(0, number - rng.randrange(5))))
        if rng.random() < 0.02:
            add("s.events", b"{broken")
    return rows


def in_pieces(config, rows, cuts, every):
    """Handle rows in pieces, with a checkpoint after each and a restart after some."""
    line, chunks, start, panes, findings = make_line(config), {}, 0, [], []
    for number, cut in enumerate([*cuts, len(rows)], start=1):
        findings += [f for _, f in line.handle(rows[start : start + cut], NOW + number).findings]
        start += cut
        snapshot, changes = take_snapshot(line)
        panes += snapshot.panes
        for kind, write in snapshot.chunks.items():
            held = {n: d for n, d in chunks.get(kind, {}).items() if n >= write.first}
            chunks[kind] = held if write.data is None else held | {number: write.data}
        mark_committed(line, changes, number)
        if number % every == 0:
            line = make_line(config)
            restore(line, snapshot, {kind: sorted(held.items()) for kind, held in chunks.items()})
    return line, panes, findings


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 5),
    cuts=st.lists(st.integers(1, 150), max_size=12),
    every=st.integers(1, 3),
    timed=st.booleans(),
)
def test_every_cut_and_every_restart_leads_to_the_same_panes(seed, cuts, every, timed):
    config = small_config(pane_span="20s" if timed else None)
    rows = faulty_records(seed)
    whole, whole_panes, whole_findings = in_pieces(config, rows, [], 9)
    line, panes, findings = in_pieces(config, rows, cuts, every)
    assert len(panes) > 5
    assert panes == whole_panes
    assert sorted(f.kind for f in findings) == sorted(f.kind for f in whole_findings)
    assert state_digest(line) == state_digest(whole)


def test_an_event_against_the_schema_is_a_dead_letter_with_its_reasons_and_not_learned_from():
    rows = [watched(i) for i in range(100)] + [watched(100, a="text"), watched(101)]
    line, step = handled(small_config(), rows)
    (letter,) = step.dead_letters
    assert (letter.rejected.stage, letter.rejected.kind) == ("schema", "wrong_type")
    assert "wrong_type in \"a\": found 'text', expected float" in letter.rejected.message
    assert line.counts.learned == 101
    assert line.counts.predicted == 101


def test_warnings_are_counted_and_the_event_is_used():
    rows = [watched(i) for i in range(100)] + [watched(100, z=1), watched(101, c="new")]
    line, step = handled(small_config(), rows)
    assert not step.dead_letters
    assert line.counts.learned == 102
    totals = line.watch.totals
    assert totals.anomalies["unexpected_feature"] == {"other": 1}
    assert totals.anomalies["out_of_domain"] == {"c": 1}
    groups = {(g.kind, g.feature): g for g in line.watch.groups.listed()}
    assert groups["out_of_domain", "c"].first == 101_000
    assert groups["unexpected_feature", "z"].count == 1


def test_repeats_are_in_no_pane_and_panes_end_where_they_should():
    rows = []
    for i in range(160):
        rows += [watched(i)] * (1 + (i % 7 == 0))
    line, step = handled(small_config(), rows)
    panes = [f.pane for _, f in step.findings if f.kind == "pane"]
    assert [(pane.index, pane.events) for pane in panes] == [(0, 20), (1, 20), (2, 20)]
    assert [pane.first for pane in panes] == [100.0, 120.0, 140.0]
    assert line.watch.totals.events == 160


def test_learning_pauses_when_too_much_of_a_pane_is_in_error_and_resumes_when_it_is_clean():
    bad = [watched(i, a="text") if i % 5 == 0 else watched(i) for i in range(100, 120)]
    rows = [watched(i) for i in range(100)] + bad + [watched(i) for i in range(120, 160)]
    line, step = handled(small_config(), rows)
    states = [f.pane.summary.state for _, f in step.findings if f.kind == "pane"]
    assert states == ["HALTED", "OK", "OK"]
    wanted = [f.wanted for _, f in step.findings if f.kind == "pane"]
    assert wanted[0] == ("pause", "alert")
    assert wanted[1] == ("resume",)
    # All but the four in error, and but the twenty of the pane in which learning paused.
    assert line.counts.unlearned == 20
    assert line.counts.learned == 160 - 4 - 20
    assert line.counts.predicted == 156


def test_a_corrected_schema_ends_the_halt_at_once():
    bad = [watched(i, a="text") for i in range(100, 120)]
    line, _ = handled(small_config(), [watched(i) for i in range(100)] + bad)
    assert line.watch.is_halted
    schema = line.watch.monitor.schema
    loose = tuple(replace(feature, type="any", **LOOSE) for feature in schema.features)
    (finding,) = line.watch.correct(Schema(loose), 120_000)
    assert finding.wanted == ("resume",)
    assert not line.watch.is_halted


def test_a_given_schema_holds_from_the_first_event_and_wins_over_the_stored_one(tmp_path):
    line, _ = handled(small_config(), [watched(i) for i in range(100)])
    schema = line.watch.monitor.schema
    snapshot, changes = take_snapshot(line)
    chunks = {k: [(1, w.data)] for k, w in snapshot.chunks.items() if w.data is not None}
    mark_committed(line, changes, 1)
    narrow = Schema(schema.features, severity={"unexpected_feature": "error"})
    (tmp_path / "schema.toml").write_text(schema_to_toml(narrow))
    config = small_config(schema_file=str(tmp_path / "schema.toml"))
    again = make_line(config)
    restore(again, snapshot, chunks)
    assert again.watch.monitor.schema == narrow
    assert again.watch.is_warm

    fresh = make_line(config)
    step = fresh.handle(records("s.events", [watched(0, z=1), watched(1)]), NOW)
    assert [letter.rejected.kind for letter in step.dead_letters] == ["unexpected_feature"]


def test_a_shift_is_found_and_named():
    rows = [watched(i) for i in range(300)] + [watched(i, shift=3.0) for i in range(300, 400)]
    line, step = handled(small_config(), rows)
    panes = [f.pane for _, f in step.findings if f.kind == "pane"]
    before = [pane for pane in panes if pane.last < 300 and pane.summary.alarms]
    after = [pane for pane in panes if pane.first >= 300]
    assert not before
    assert all(("feature", "a") in pane.summary.alarms for pane in after)
    assert after[0].summary.state in ("WARNING", "DRIFT")
    assert line.watch.totals.alarms["feature"]["a"] == len(after)
    assert "challenge" in after[0].summary.actions or "retrain" in after[0].summary.actions


def test_a_changed_concept_is_found_by_the_losses(monkeypatch):
    monkeypatch.setenv("RIVERRUN_RETRAIN__ENABLED", "false")
    rows = [watched(i) for i in range(400)]
    rows += [watched(i) | {"y": not truth(i)} for i in range(400, 700)]
    _, step = handled(small_config(), rows)
    drifts = [f for _, f in step.findings if f.kind == "concept_drift"]
    assert drifts
    assert drifts[0].time >= 400_000
    assert drifts[0].drift.since_time > 370
    states = [f.pane.summary.state for _, f in step.findings if f.kind == "pane"]
    assert "DRIFT" in states
    assert "DRIFT" not in states[:15]


def test_anomalies_are_grouped_in_the_order_of_events_however_these_are_cut():
    rows = [watched(i) for i in range(100)]
    rows += [watched(100, b="text"), watched(101, a="first"), watched(102, a="last")]
    whole, _ = handled(small_config(), rows)
    line = make_line(small_config())
    for start, row in enumerate(rows):
        line.handle(records("s.events", [row], start), NOW)
    assert [group.feature for group in whole.watch.groups.listed()] == ["a", "b"]
    assert whole.watch.groups.to_data() == line.watch.groups.to_data()


def test_panes_add_up_to_the_whole_stream():
    line, step = handled(small_config(), [watched(i) for i in range(300)])
    panes = [f.pane for _, f in step.findings if f.kind == "pane"]
    total = merge(Pane.from_bytes(pane.data) for pane in panes)
    assert total.events == 200
    scores = [unpack_scores(pane.scores)[:2] for pane in panes]
    labelled = sum(performance.labelled for performance, _ in scores)
    assert labelled == line.watch.performances.whole.labelled == 200
    assert sum(int(confidences[0].sum()) for _, confidences in scores) == 200


def test_performance_is_kept_by_segment_beside_the_baselines():
    line, _ = handled(small_config(), [watched(i) for i in range(300)])
    performance = line.watch.performances.whole
    segments = {segment for _, feature, segment, _ in performance.scores if feature == "c"}
    assert segments == {"x", "y", "z"}
    by_segment = sum(performance.score("model", "c", s).count for s in segments)
    assert by_segment == performance.score("model").count == 200
    assert performance.mean("model") < performance.mean("no_change")


def test_a_label_that_came_late_is_of_its_age():
    config = small_config()
    line = make_line(config)
    rows = records("s.events", [watched(i) for i in range(100)])
    rows += records("s.events", [watched(i, labelled=False) for i in range(100, 150)], 100)
    rows += records("s.labels", [{"id": "e105", "y": truth(105)}])
    line.handle(rows, NOW)
    performance = line.watch.performances.whole
    assert performance.delays == {"<1m": 1}
    assert performance.coverage == pytest.approx(1 / 50)


def test_what_the_confidence_promised_stands_beside_what_came_true():
    rows = [watched(i) | {"y": truth(i) if i % 4 else truth(i + 10_000)} for i in range(2500)]
    line, _ = handled(small_config(warmup_events=1000), rows)
    estimate = status_of(line, None)["monitor"]["estimate"]
    accuracy = estimate["expected"]["accuracy"]
    assert accuracy["low"] <= accuracy["value"] <= accuracy["high"]
    assert accuracy["low"] <= estimate["realised"]["accuracy"] <= accuracy["high"]


def test_the_status_is_plain_data_from_the_first_event_on():
    for count in (0, 1, 100, 150):
        line, _ = handled(small_config(), [watched(i) for i in range(count)])
        monitor = status_of(line, None)["monitor"]
        assert msgspec.json.decode(msgspec.json.encode(monitor))["state"] == "OK"
        assert (monitor["warm_up"] is None) == (count >= 100)


def test_a_monitor_that_is_switched_off_leaves_no_trace():
    line, step = handled(small_config(enabled=False), [watched(i) for i in range(150)])
    assert line.watch is None
    assert not step.findings
    snapshot, _ = take_snapshot(line)
    assert set(snapshot.parts) == {"model", "state"}
    assert status_of(line, None)["monitor"] is None


def test_predictions_of_a_model_that_has_not_learned_are_no_reference():
    rows = [watched(i, labelled=False) for i in range(140)]
    line, _ = handled(small_config(), rows)
    roles = {column.role for column in line.watch.monitor.reference.layout.columns}
    assert roles == {"feature"}
