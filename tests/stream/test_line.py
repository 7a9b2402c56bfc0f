"""The line learns once, counts everything, and does not care how it is cut into batches."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import metrics

from stream.digest import state_digest
from stream.line import MAX_CLASSES
from stream.snapshot import mark_committed, restore, take_snapshot
from tests.lines import event, make_config, make_line, records, truth

NOW = 2_000_000


def handle(line, events=(), labels=()):
    line.handle(records("s.events", events, line.counts.events), NOW)
    return line.handle(records("s.labels", labels, line.counts.label_messages), NOW)


def test_an_event_with_its_label_is_predicted_scored_and_learned():
    line = make_line()
    step = line.handle(records("s.events", [event(1, True)]), NOW)
    assert [row.served.prediction for row in step.predictions] == [0.5]
    assert (line.counts.predicted, line.counts.matched, line.counts.learned) == (1, 1, 1)
    assert line.scores.scored == 1


def test_a_prediction_waits_for_its_label():
    line = make_line()
    handle(line, [event(1), event(2)])
    assert (len(line.pending), line.counts.learned) == (2, 0)
    handle(line, labels=[{"id": "e1", "y": True}])
    assert (len(line.pending), line.counts.learned) == (1, 1)


def test_the_score_is_of_the_prediction_given_when_the_event_came():
    """Not of what the model would say when the label comes."""
    line = make_line(make_config(model={"metrics": ["LogLoss"]}))
    handle(line, [event(1)])
    handle(line, [event(n, truth(n)) for n in range(2, 200)])
    before = line.scores.summary()["model"]["LogLoss"]
    assert line.learner.predict({"a": event(1)["a"], "b": event(1)["b"]}) != 0.5
    handle(line, labels=[{"id": "e1", "y": True}])
    after = line.scores.summary()["model"]["LogLoss"]
    assert after == pytest.approx((before * 198 + 0.6931471805599453) / 199)


def test_progressive_validation_is_that_of_river():
    """With labels at once it is the loop of River's documentation, to the last digit."""
    line = make_line()
    rows = [event(n, truth(n)) for n in range(500)]
    handle(line, rows)
    model = make_line().learner.model
    auc, loss = metrics.ROCAUC(), metrics.LogLoss()
    for row in rows:
        x = {"a": row["a"], "b": row["b"]}
        said = model.predict_proba_one(x)
        auc.update(row["y"], said)
        loss.update(row["y"], said)
        model.learn_one(x, row["y"])
    scores = line.scores.summary()["model"]
    assert scores["ROCAUC"] == auc.get()
    assert scores["LogLoss"] == pytest.approx(loss.get(), abs=1e-12)


def test_repeats_are_dropped_and_counted():
    line = make_line()
    handle(line, [event(1), event(1), event(2, True), event(2, True), event(1)])
    assert (line.counts.predicted, line.counts.repeated) == (2, 3)


def test_labels_are_counted_by_kind():
    line = make_line(make_config(labels={"max_delay": "10s"}))
    handle(line, [event(1), event(2)])
    handle(
        line,
        labels=[
            {"id": "e1", "y": True},
            {"id": "e1", "y": True},
            {"id": "e1", "y": False},
            {"id": "never", "y": True},
            {"id": "never", "y": True},
            {"id": "never", "y": False},
            {"id": "e3", "y": True},
        ],
    )
    handle(line, [event(3)])
    assert line.counts.early == 1
    assert (line.counts.duplicate, line.counts.conflicting) == (2, 2)
    assert len(line.early) == 1
    handle(line, [event(30)])
    assert (line.counts.expired, line.counts.orphaned) == (1, 1)
    handle(line, labels=[{"id": "e2", "y": True}])
    assert line.counts.late == 1
    assert line.counts.learned == 2


def test_a_label_before_any_event_waits():
    line = make_line(make_config(labels={"max_delay": "10s"}))
    handle(line, labels=[{"id": "e900", "y": True}])
    handle(line, [event(900)])
    assert (line.counts.early, line.counts.learned) == (1, 1)


def test_the_oldest_pending_prediction_is_given_up_at_the_limit():
    line = make_line(make_config(labels={"max_pending": 2}))
    handle(line, [event(1), event(2), event(3)])
    assert (line.counts.evicted, len(line.pending)) == (1, 2)
    handle(line, labels=[{"id": "e1", "y": True}])
    assert line.counts.late == 1


def test_the_prediction_of_the_api_is_the_one_that_is_scored():
    line = make_line(make_config(model={"metrics": ["Accuracy"]}))
    record = records("s.events", [event(1, False)])[0]
    served = msgspec.json.encode({"prediction": 0.9, "model_version": "v0", "learned_offset": 5})
    record = msgspec.structs.replace(record, headers=(("riverrun-served", served),))
    step = line.handle([record], NOW)
    assert (step.predictions[0].source, step.predictions[0].served.model_version) == ("api", "v0")
    assert line.scores.summary()["model"]["Accuracy"] == 0.0
    assert line.counts.served == line.counts.learned == 1


def test_what_the_model_refuses_is_a_dead_letter_and_the_rest_goes_on():
    line = make_line()
    handle(line, [event(1, True), event(2, True, a="text"), event(3, True)])
    assert (line.counts.learned, line.counts.dead_lettered) == (2, 1)
    assert list(line.reasons) == ["learn/TypeError"]


def test_too_many_dead_letters_stop_the_line_where_it_is():
    config = make_config(dead_letters={"max_share": 0.5, "window": 10})
    line = make_line(config)
    step = line.handle(records("s.events", [event(1)] + [b"{"] * 20), NOW)
    assert "max_share = 0.5" in step.halt
    assert (line.counts.dead_lettered, line.learned_offset) == (6, 7)
    again = line.handle(records("s.events", [b"{"], start=7), NOW)
    assert again.halt is not None


def test_a_share_of_one_never_stops():
    line = make_line(make_config(dead_letters={"max_share": 1, "window": 10}))
    assert line.handle(records("s.events", [b"{"] * 50), NOW).halt is None


def test_an_anomaly_detector_learns_without_labels_and_is_scored_by_them():
    config = make_config(
        model={"task": "anomaly", "pipeline": "anomaly.HalfSpaceTrees(seed=1, window_size=20)"}
    )
    line = make_line(config)
    handle(line, [event(n, a=0.5, b=0.5) for n in range(30)])
    assert line.counts.learned == 30
    handle(line, labels=[{"id": "e29", "y": 1}])
    assert (line.counts.learned, line.scores.scored) == (30, 1)


def test_regression_has_its_baselines():
    config = make_config(
        model={
            "task": "regression",
            "pipeline": "linear_model.LinearRegression()",
            "metrics": ["MAE"],
        }
    )
    line = make_line(config)
    handle(line, [event(n, float(n)) for n in range(4)])
    scores = line.scores.summary()
    assert scores["no_change"]["MAE"] == 1.0
    assert scores["mean"]["MAE"] == pytest.approx((1 + 1.5 + 2) / 3)


def test_multiclass_with_text_labels():
    config = make_config(
        model={
            "task": "multiclass",
            "pipeline": "naive_bayes.GaussianNB()",
            "metrics": ["Accuracy"],
        }
    )
    line = make_line(config)
    step = line.handle(records("s.events", [event(n, "ABC"[n % 3]) for n in range(30)]), NOW)
    assert step.predictions[0].served.prediction is None
    assert set(step.predictions[-1].served.prediction) == {"A", "B", "C"}
    assert line.scores.summary()["majority"]["Accuracy"] is not None
    assert line.scores.unscored == 1


def test_the_number_of_classes_is_bounded():
    config = make_config(
        model={"task": "multiclass", "pipeline": "dummy.PriorClassifier()", "metrics": ["Accuracy"]}
    )
    line = make_line(config)
    handle(line, [event(n, f"class {n}") for n in range(MAX_CLASSES + 5)])
    assert line.counts.dead_lettered == 5
    assert len(line.learner.classes) == MAX_CLASSES


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("event"), st.integers(0, 25), st.sampled_from([None, True, False])),
        st.tuples(st.just("label"), st.integers(0, 25), st.booleans()),
        st.tuples(st.just("broken"), st.booleans(), st.just(None)),
    ),
    max_size=60,
)


def as_records(steps):
    offsets = {"s.events": 0, "s.labels": 0}
    for kind, number, label in steps:
        topic = "s.labels" if kind == "label" or number is True else "s.events"
        row = {"id": f"e{number}", "y": label} if kind == "label" else event(int(number), label)
        yield records(topic, [b"{" if kind == "broken" else row], offsets[topic])[0]
        offsets[topic] += 1


@settings(deadline=None, max_examples=80)
@given(STEPS, st.lists(st.integers(1, 9), max_size=20), st.integers(1, 5))
def test_every_cut_and_every_restart_leads_to_the_same_state(steps, cuts, keep):
    """And every record ends in exactly one count."""
    config = make_config(labels={"max_delay": "8s", "max_pending": 6}, event={"dedup_window": 7})
    rows = list(as_records(steps))
    whole = make_line(config)
    whole.handle(rows, NOW)

    line, chunks, start = make_line(config), {}, 0
    for number, cut in enumerate([*cuts, len(rows)], start=1):
        line.handle(rows[start : start + cut], NOW + number)
        start += cut
        snapshot, changes = take_snapshot(line)
        for kind, write in snapshot.chunks.items():
            held = {n: d for n, d in chunks.get(kind, {}).items() if n >= write.first}
            chunks[kind] = held if write.data is None else held | {number: write.data}
        mark_committed(line, changes, number)
        if number % keep == 0:
            line = make_line(config)
            restore(line, snapshot, {kind: sorted(held.items()) for kind, held in chunks.items()})

    assert state_digest(line) == state_digest(whole)
    assert [e.id for e in line.pending] == [e.id for e in whole.pending]
    counts, broken = whole.counts, sum(1 for kind, *_ in steps if kind == "broken")
    in_event = sum(1 for e in rows if e.topic == "s.events") - counts.events
    assert in_event == 0
    assert counts.dead_lettered == broken
    assert counts.predicted == counts.matched + counts.expired + counts.evicted + len(whole.pending)
    assert counts.matched == counts.learned
    unhandled = counts.events - counts.predicted - counts.repeated
    assert unhandled == sum(1 for k, n, _ in steps if k == "broken" and n is not True)


@settings(deadline=None, max_examples=60)
@given(STEPS)
def test_every_label_message_ends_in_one_count(steps):
    line = make_line(make_config(labels={"max_delay": "8s"}))
    rows = list(as_records(steps))
    line.handle(rows, NOW)
    counts = line.counts
    inside = sum(1 for row in line.settled._order if line.settled.label(row) is not None)
    assert inside == counts.matched
    by_message = counts.label_messages - sum(
        1 for kind, n, _ in steps if kind == "broken" and n is True
    )
    given_inside = counts.matched - counts.early - _matched_by_message(rows)
    assert given_inside >= 0
    assert by_message == (
        _matched_by_message(rows)
        + counts.early
        + len(line.early)
        + counts.orphaned
        + counts.late
        + counts.duplicate
        + counts.conflicting
    )


def _matched_by_message(rows):
    """Count, in another way, the label messages that met a waiting prediction."""
    line = make_line(make_config(labels={"max_delay": "8s"}))
    met = 0
    for row in rows:
        before = line.counts.matched
        line.handle([row], NOW)
        met += row.topic == "s.labels" and line.counts.matched > before
    return met


def test_a_classifier_without_probabilities_may_answer_with_any_label():
    config = make_config(
        model={
            "task": "multiclass",
            "pipeline": "dummy.NoChangeClassifier()",
            "metrics": ["Accuracy"],
        }
    )
    line = make_line(config)
    handle(line, [event(1, True), event(2), event(3, "text"), event(4)])
    snapshot, _ = take_snapshot(line)
    again = make_line(config)
    chunks = {kind: [(1, w.data)] for kind, w in snapshot.chunks.items() if w.data is not None}
    restore(again, snapshot, chunks)
    assert [e.prediction for e in again.pending] == [e.prediction for e in line.pending]
