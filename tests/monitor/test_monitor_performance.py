"""Performance counts, the estimate without labels, placebo, metrics."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import asdict
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor import Monitor, MonitorConfig
from monitor.config import PaneConfig, SkewConfig
from monitor.detectors import LossDetector
from monitor.errors import DamagedError, StateError
from monitor.estimate import (
    LEVELS,
    Calibrator,
    confidence_counts,
    estimate_accuracy,
    estimate_binary,
)
from monitor.performance import AGES, Performance, score_batch
from monitor.placebo import placebo
from monitor.report import SkewReport

labelled = st.lists(
    st.tuples(st.floats(0, 1e6), st.floats(0, 1e6), st.sampled_from(["a", "b"])), max_size=30
)


def scored(rows: list[tuple[float, float, str]]) -> Performance:
    return score_batch(
        {"champion": [row[0] for row in rows], "majority": [1.0] * len(rows)},
        ages=[row[1] for row in rows],
        segments={"c": [row[2] for row in rows]},
    )


@given(labelled, st.randoms(use_true_random=False))
@settings(max_examples=80, deadline=None)
def test_scores_add_up_exactly_in_any_order(rows: list[Any], random: Any) -> None:
    parts = [scored([row]) for row in rows]
    random.shuffle(parts)
    total = sum(parts, Performance())
    whole = scored(rows)
    assert total.to_data() == whole.to_data()
    assert Performance.from_data(json.loads(json.dumps(whole.to_data()))) == whole
    for segment in ("a", "b"):
        of_segment = [row[0] for row in rows if row[2] == segment]
        mean = whole.mean("champion", "c", segment)
        if of_segment:
            assert mean == pytest.approx(np.mean(of_segment), abs=1e-6)
        else:
            assert mean is None
    assert whole.score("champion").count == whole.labelled == len(rows)


def test_coverage_and_delays_are_told() -> None:
    counts = scored([(0.0, 0.5, "a"), (1.0, 30.0, "a"), (1.0, 5e6, "b")])
    counts += Performance(predictions=12, fates={"late": 2})
    assert counts.coverage == 0.25
    assert [counts.delay_quantile(q) for q in (0.3, 0.6, 1.0)] == ["<1s", "<1m", AGES[-1][0]]
    assert (counts + counts).fates == {"late": 4}
    assert counts.score("champion", age="<1m").mean == 1.0
    with pytest.raises(DamagedError):
        Performance.from_data({})


def test_the_estimate_follows_a_changed_mix_without_labels() -> None:
    """An overconfident model, calibrated on the reference, then easier and harder events."""
    rng = np.random.default_rng(0)

    def sample(n: int, alpha: float) -> tuple[np.ndarray, np.ndarray]:
        truth = rng.beta(alpha, alpha, n)
        stated = truth**2 / (truth**2 + (1 - truth) ** 2)
        return stated, rng.uniform(size=n) < truth

    stated, positive = sample(60_000, 1.0)
    calibrator = Calibrator.fit(confidence_counts(stated), confidence_counts(stated[positive]))
    for alpha in (0.3, 1.0, 4.0):
        p, y = sample(20_000, alpha)
        found = {e.metric: e for e in estimate_binary(confidence_counts(p), calibrator)}
        said = p >= 0.5
        hits = (said & y).sum()
        order = np.argsort(p)
        ranks = np.empty(len(p))
        ranks[order] = np.arange(1, len(p) + 1)
        auc = (ranks[y].sum() - y.sum() * (y.sum() + 1) / 2) / (y.sum() * (~y).sum())
        realised = {
            "accuracy": np.mean(said == y),
            "precision": hits / said.sum(),
            "recall": hits / y.sum(),
            "roc_auc": auc,
            "brier": np.mean((p - y) ** 2),
        }
        for metric, value in realised.items():
            margin = 0.006
            assert found[metric].low - margin <= value <= found[metric].high + margin, metric
            assert found[metric].high - found[metric].low < 0.06


def test_the_band_of_the_accuracy_is_that_of_independent_outcomes() -> None:
    counts = confidence_counts([0.8] * 400)
    estimate = estimate_accuracy(counts, Calibrator.fit(counts, confidence_counts([0.8] * 320)))
    assert estimate is not None
    assert estimate.value == pytest.approx(0.8)
    assert estimate.high - estimate.value == pytest.approx(3 * np.sqrt(0.8 * 0.2 / 400))


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=LEVELS))
@settings(max_examples=60, deadline=None)
def test_a_calibration_never_decreases_and_keeps_the_mean(pairs: list[tuple[int, int]]) -> None:
    stated, true = np.zeros(LEVELS, dtype=np.int64), np.zeros(LEVELS, dtype=np.int64)
    for level, (total, hits) in enumerate(pairs):
        stated[level], true[level] = total, min(hits, total)
    share = np.array(Calibrator.fit(stated, true).share)
    assert (np.diff(share) >= -1e-12).all()
    assert stated @ share == pytest.approx(true.sum())


def test_nothing_to_estimate_gives_nothing() -> None:
    none = confidence_counts([float("nan"), 2.0])
    assert estimate_accuracy(none, Calibrator.fit(none, none)) is None
    assert estimate_binary(none, Calibrator.fit(none, none)) == ()


@pytest.fixture(scope="module")
def monitor() -> Monitor:
    rng = np.random.default_rng(0)
    return Monitor().fit({f"f{k}": rng.normal(size=20_000) for k in range(5)})


def test_placebo_measures_the_rate_beside_its_target(monitor: Monitor) -> None:
    assert monitor.reference is not None
    config = SkewConfig(false_alarms="1 per 20 panes")
    result = placebo(monitor.reference, config, resample="events", panes=600)
    assert result.low <= result.rate <= result.high
    assert result == placebo(monitor.reference, config, resample="events", panes=600)
    assert result.rate <= 1.5 * result.target + 0.03
    by_panes = placebo(monitor.reference, config, panes=200)
    assert by_panes.target == 0.05
    assert by_panes.panes == 200
    few = Monitor().fit({"x": np.arange(1000.0)}).reference
    assert few is not None
    with pytest.raises(StateError, match="placebo"):
        placebo(few)


def snapshot_run(stop: int | None) -> tuple[Any, ...]:
    rng = np.random.default_rng(3)
    config = MonitorConfig(panes=PaneConfig(events=100), warmup_events=1000)
    monitor = Monitor(config)
    events = [{"x": x, "c": "ab"[k % 2]} for k, x in enumerate(rng.normal(size=4000).tolist())]
    losses = (rng.uniform(size=4000) < 0.2).astype(float)
    closed: list[Any] = []
    for at in range(0, 4000, 125):
        if stop is not None and at == stop:
            data = json.loads(json.dumps(monitor.snapshot()))
            monitor = Monitor.restore(data, config, detector=monitor.concept.detector)
        times = np.arange(at, at + 125.0)
        said = ["UP" if x > 0 else "DOWN" for x in losses[at : at + 125]]
        observed = monitor.observe(events[at : at + 125], times, predictions=said)
        closed += observed.panes
        monitor.observe_labels(said, times, losses=losses[at : at + 125])
    return [(c.index, c.pane, c.report, c.signals, c.state) for c in closed], monitor.snapshot()


def test_a_reference_may_be_kept_apart_from_the_snapshot(monitor: Monitor) -> None:
    data = json.loads(json.dumps(monitor.snapshot(with_reference=False)))
    assert data["reference"] is None
    again = Monitor.restore(data, reference=monitor.reference)
    assert again.snapshot() == monitor.snapshot()
    for damaged in ({}, {**data, "version": 2}, {**data, "open": "AAAA"}, None):
        with pytest.raises(DamagedError):
            Monitor.restore(damaged)


def test_results_are_plain_data_for_any_json_writer(monitor: Monitor) -> None:
    report = monitor.compare({f"f{k}": np.full(200, np.nan) for k in range(5)})
    assert report.by_column
    data = msgspec.json.decode(msgspec.json.encode(report))
    assert set(data) == {"columns", "blame", "budget", "level", "tests"}
    assert report.columns[0].missing_current == 1.0


def test_a_report_that_is_described_later_is_the_same(monitor: Monitor) -> None:
    rng = np.random.default_rng(4)
    later = monitor.compare({f"f{k}": rng.normal(k / 9, 1, 900) for k in range(5)})
    assert later.drifted
    at_once = SkewReport(later.columns, later.blame, later.budget, later.level, later.tests)
    assert at_once == later == pickle.loads(pickle.dumps(later)) == copy.deepcopy(later)
    assert at_once.alarms == later.alarms != ()
    assert at_once.ratio("feature") == later.ratio("feature")
    assert asdict(at_once) == asdict(later)
    with pytest.raises(AttributeError):
        _ = later.nothing  # type: ignore[attr-defined]


def test_a_river_detector_goes_on_from_its_own_pickle() -> None:
    detector = LossDetector("ADWIN")
    losses = (np.random.default_rng(0).uniform(size=3000) < 0.2).astype(float)
    detector.update(losses)
    again = pickle.loads(pickle.dumps(detector))
    assert again.update(np.ones(200)) == detector.update(np.ones(200)) != []


@pytest.mark.parametrize("stop", [500, 1000, 1125, 3000])
def test_a_monitor_goes_on_from_json_as_if_nothing_had_happened(stop: int) -> None:
    assert snapshot_run(stop) == snapshot_run(None)


def test_a_warm_up_makes_schema_and_reference_of_the_first_good_events() -> None:
    config = MonitorConfig(panes=PaneConfig(events=100), warmup_events=300)
    monitor = Monitor(config)
    rows = [{"x": float(k % 50)} for k in range(700)]
    first = monitor.observe(rows[:299])
    assert (first.fitted, first.panes) == (False, ())
    second = monitor.observe(rows[299:], predictions=["a"] * 401)
    assert second.fitted
    assert len(second.errors) == 401
    assert [c.index for c in second.panes] == [0, 1, 2, 3]
    assert monitor.reference is not None
    assert monitor.reference.total.events == 300


def test_a_halt_ends_by_a_corrected_schema() -> None:
    monitor = Monitor(MonitorConfig(panes=PaneConfig(events=100))).fit(
        [{"x": float(k % 50)} for k in range(1000)]
    )
    closed = monitor.observe([{"x": "1"}] * 100).panes[0]
    assert closed.state == "HALTED"
    assert [action.value for action in closed.actions] == ["pause", "alert"]
    assert monitor.schema is not None
    assert [action.value for action in monitor.correct(monitor.schema, 5.0)] == ["resume"]
    assert monitor.trigger.state == "OK"


def test_prediction_and_label_shift_are_told_apart_from_the_features() -> None:
    rng = np.random.default_rng(0)
    features = {"x": rng.normal(size=5000)}
    monitor = Monitor().fit(
        features, predictions=["a", "b"] * 2500, labels=["a"] * 2500 + ["b"] * 2500
    )
    monitor.observe_labels(["a"] * 900 + ["b"] * 100, np.zeros(1000))
    rows = {"x": rng.normal(size=1000)}
    signals = monitor.observe(rows, predictions=["a", "b"] * 500).panes[0].signals
    assert signals.label_skew >= 1
    assert signals.prediction_skew < 1
    assert signals.value_skew < 1
    signals = monitor.observe(rows, predictions=["a"] * 1000).panes[0].signals
    assert signals.prediction_skew >= 1
    assert signals.label_skew < 1 or monitor.report is not None


def shifted(labelled_share: float) -> Monitor:
    """Give a monitor whose predictions have shifted while so many labels came."""
    rng = np.random.default_rng(0)
    monitor = Monitor().fit({"x": rng.normal(size=5000)}, predictions=["a", "b"] * 2500)
    for _ in range(4):
        came = round(1000 * labelled_share)
        monitor.observe_labels(["a"] * came, np.zeros(came), losses=[0.1] * came)
        monitor.observe({"x": rng.normal(size=1000)}, predictions=["a"] * 1000)
    return monitor


def test_a_shift_of_predictions_alone_is_news_only_where_labels_are_wanting() -> None:
    told, untold = shifted(0.9), shifted(0.3)
    assert told.report is not None
    assert told.report.ratio("prediction") >= 1
    assert told.trigger.state == "OK"
    assert untold.trigger.state == "WARNING"


def test_how_many_labels_came_survives_a_snapshot() -> None:
    for share in (0.9, 0.3):
        monitor = shifted(share)
        monitor.observe_labels(["a"] * 7, np.zeros(7), losses=[0.1] * 7)
        again = Monitor.restore(json.loads(json.dumps(monitor.snapshot())))
        assert again.snapshot() == monitor.snapshot()
        rows = {"x": np.random.default_rng(1).normal(size=1000)}
        signals = [
            m.observe(rows, predictions=["a"] * 1000).panes[0].signals for m in (monitor, again)
        ]
        assert signals[0] == signals[1]
        assert signals[0].unlabelled == pytest.approx(1 - (4 * share + 0.007) / 5)
