"""The monitor's metrics: zero from the start, capped, and what any parser takes."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from monitor.anomalies import KINDS
from monitor.config import DETECTORS
from monitor.labels import FEATURES_MAX, OTHER
from monitor.prometheus import families
from monitor.trigger import Action, State

EVIL = 'evil"\n{}\\'


class _Collector(Collector):
    def __init__(self, summaries) -> None:
        self.summaries = summaries

    def collect(self):
        return families(self.summaries)


def scraped(**summaries) -> dict[tuple[str, ...], float]:
    """Return the samples as a server would read them, by name and label values."""
    registry = CollectorRegistry()
    registry.register(_Collector(summaries))
    found: dict[tuple[str, ...], float] = {}
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        for sample in family.samples:
            labels = dict(sample.labels)
            key = (sample.name, labels.pop("stream"), *labels.values())
            assert key not in found, f"{key} is there twice"
            found[key] = sample.value
    return found


def summary(features, **more):
    return {
        "state": "WARNING",
        "warm_up": None,
        "schema": {"features": list(features), "beyond": 0},
        "totals": {},
        "last_pane": None,
        **more,
    }


def test_every_counter_is_there_with_zero_before_the_first_checkpoint():
    found = scraped(s={})
    for name in ("panes", "events", "event_errors", "labels_cut"):
        assert found[f"riverrun_monitor_{name}_total", "s"] == 0
    for kind in KINDS:
        assert found["riverrun_monitor_anomalies_total", "s", OTHER, kind] == 0
    for action in Action:
        assert found["riverrun_monitor_actions_total", "s", action] == 0
    for by in ("betting", *DETECTORS):
        assert found["riverrun_monitor_concept_drifts_total", "s", by] == 0
    for role, name in (("feature", OTHER), ("prediction", "prediction"), ("label", "label")):
        assert found["riverrun_monitor_skew_alarms_total", "s", name, role] == 0
    assert {found["riverrun_monitor_state", "s", state] for state in State} == {0}
    assert ("riverrun_monitor_warm_up_ratio", "s") not in found


def test_declared_features_are_labels_from_the_start_and_no_other_name_is():
    totals = {"anomalies": {"wrong_type": {"a": 3, EVIL: 4, OTHER: 1}}, "cut": 5}
    found = scraped(s=summary(["a", "b"], totals=totals))
    anomalies = "riverrun_monitor_anomalies_total"
    assert found[anomalies, "s", "a", "wrong_type"] == 3
    assert found[anomalies, "s", "b", "wrong_type"] == 0
    assert found[anomalies, "s", OTHER, "wrong_type"] == 5
    assert found["riverrun_monitor_labels_cut_total", "s"] == 5
    assert not any("evil" in part for key in found for part in key)


def test_declared_names_of_any_kind_are_read_back_as_they_are():
    names = [EVIL, "<img onerror=1>", "two\nlines", "数", OTHER]
    last = {"ratios": [("feature", name, at + 0.5) for at, name in enumerate(names)]}
    found = scraped(s=summary(names, last_pane=last))
    for at, name in enumerate(names):
        assert found["riverrun_monitor_skew_ratio", "s", name, "feature"] == at + 0.5


def test_features_are_capped_and_the_rest_is_other():
    names = [f"f{number}" for number in range(FEATURES_MAX + 300)]
    last = {
        "ratios": [("feature", name, 0.1) for name in names[: FEATURES_MAX + 1]]
        + [("prediction", "prediction", 2.5)],
        "other_ratio": 7.5,
    }
    alarms = {"feature": dict.fromkeys(names, 1), "prediction": {"prediction": 4}}
    found = scraped(s=summary(names, last_pane=last, totals={"alarms": alarms}))
    ratios = {key[2:]: v for key, v in found.items() if key[0] == "riverrun_monitor_skew_ratio"}
    assert len(ratios) == FEATURES_MAX + 2
    assert ratios[OTHER, "feature"] == 7.5
    assert ratios["prediction", "prediction"] == 2.5
    assert found["riverrun_monitor_skew_alarms_total", "s", OTHER, "feature"] == 300
    assert found["riverrun_monitor_skew_alarms_total", "s", "prediction", "prediction"] == 4
    series = [key for key in found if key[0] == "riverrun_monitor_anomalies_total"]
    assert len(series) == (FEATURES_MAX + 1) * len(KINDS)


def test_the_state_is_one_series_a_state_and_streams_stand_side_by_side():
    found = scraped(
        one=summary([]), two=summary([], state="HALTED", warm_up={"events": 25, "wanted": 100})
    )
    assert found["riverrun_monitor_state", "one", "WARNING"] == 1
    assert found["riverrun_monitor_state", "two", "HALTED"] == 1
    assert sum(v for key, v in found.items() if key[0] == "riverrun_monitor_state") == 2
    assert found["riverrun_monitor_warm_up_ratio", "one"] == 1.0
    assert found["riverrun_monitor_warm_up_ratio", "two"] == 0.25


def test_what_was_promised_stands_beside_what_came_true():
    estimate = {
        "expected": {"accuracy": {"value": 0.8, "low": 0.7, "high": 0.9}},
        "realised": {"accuracy": 0.6},
    }
    performance = {"mean_loss": {"model": 0.2, "mean": None}, "coverage": 0.5}
    found = scraped(s=summary([], estimate=estimate, performance=performance))
    assert found["riverrun_monitor_expected", "s", "low", "accuracy"] == 0.7
    assert found["riverrun_monitor_realised", "s", "accuracy"] == 0.6
    assert found["riverrun_monitor_mean_loss", "s", "model"] == 0.2
    assert ("riverrun_monitor_mean_loss", "s", "mean") not in found
    assert found["riverrun_monitor_label_coverage_ratio", "s"] == 0.5
