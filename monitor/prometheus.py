"""The monitor's metrics, each declared once; labels come from the declared schema alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from monitor.anomalies import KINDS
from monitor.config import DETECTORS
from monitor.labels import FEATURES_MAX, OTHER
from monitor.trigger import Action, State

Summary = Mapping[str, Any]
Values = Iterable[tuple[tuple[str, ...], float]]

_ROLES = ("prediction", "label")
_SIGNALS = (
    "error_fraction",
    "value_skew",
    "prediction_skew",
    "label_skew",
    "concept",
    "unlabelled",
)
_BOUNDS = ("value", "low", "high")


def families(summaries: Mapping[str, Summary]) -> Iterator[Metric]:
    """Give every metric of the monitor, over some streams.

    Every counter is there with 0 from the start, so that a first increase is seen as one. A gauge
    of what is not known yet is left out.

    Parameters
    ----------
    summaries
        By stream, what a worker says of its monitor (`stream.watching.summary.summary_of`); empty
        before it has said anything.

    Yields
    ------
    Metric
        At most `FEATURES_MAX` features of a stream are labels.

    Examples
    --------
    >>> found = {metric.name: metric for metric in families({"flights": {}})}
    >>> found["riverrun_monitor_panes"].samples[0].value
    0.0
    """
    for make, name, text, labels, values in _METRICS:
        family = make(name, text, labels=["stream", *labels])
        for stream, summary in summaries.items():
            for label_values, value in values(summary):
                family.add_metric([stream, *label_values], float(value))
        yield family


def _total(key: str) -> Callable[[Summary], Values]:
    return lambda summary: [((), _totals(summary).get(key, 0))]


def _anomalies(summary: Summary) -> Values:
    known, found = _names(summary), _totals(summary).get("anomalies", {})
    for kind in KINDS:
        for name, count in _by_name(known, found.get(kind, {})).items():
            yield (kind, name), count


def _alarms(summary: Summary) -> Values:
    found = _totals(summary).get("alarms", {})
    for name, count in _by_name(_names(summary), found.get("feature", {})).items():
        yield ("feature", name), count
    for role in _ROLES:
        yield (role, role), sum(found.get(role, {}).values())


def _ratios(summary: Summary) -> Values:
    last, known = summary.get("last_pane") or {}, _names(summary)
    others = [last.get("other_ratio")]
    for role, name, ratio in last.get("ratios", ()):
        if role != "feature":
            yield (role, role), ratio
        elif name in known and name != OTHER:
            yield (role, name), ratio
        else:
            others.append(ratio)
    beyond = [ratio for ratio in others if ratio is not None]
    if beyond:
        yield ("feature", OTHER), max(beyond)


def _signals(summary: Summary) -> Values:
    found = (summary.get("last_pane") or {}).get("signals", {})
    return [((name,), found[name]) for name in _SIGNALS if name in found]


def _states(summary: Summary) -> Values:
    return [((state.value,), float(state.value == summary.get("state"))) for state in State]


def _actions(summary: Summary) -> Values:
    found = _totals(summary).get("actions", {})
    return [((action.value,), found.get(action.value, 0)) for action in Action]


def _drifts(summary: Summary) -> Values:
    found = _totals(summary).get("drifts", {})
    return [((by,), found.get(by, 0)) for by in ("betting", *DETECTORS)]


def _concept(summary: Summary) -> Values:
    return _known((summary.get("concept") or {}).get("ratio"))


def _warm_up(summary: Summary) -> Values:
    if not summary:
        return []
    under_way = summary.get("warm_up")
    return _known(1.0 if under_way is None else under_way["events"] / under_way["wanted"])


def _open_pane(summary: Summary) -> Values:
    return _known(summary.get("open_pane"))


def _pane_time(summary: Summary) -> Values:
    return _known((summary.get("last_pane") or {}).get("last"))


def _expected(summary: Summary) -> Values:
    found = (summary.get("estimate") or {}).get("expected", {})
    return [((metric, at), band[at]) for metric, band in found.items() for at in _BOUNDS]


def _realised(summary: Summary) -> Values:
    found = (summary.get("estimate") or {}).get("realised", {})
    return [((metric,), value) for metric, value in found.items()]


def _mean_loss(summary: Summary) -> Values:
    found = (summary.get("performance") or {}).get("mean_loss", {})
    return [((of,), value) for of, value in found.items() if value is not None]


def _coverage(summary: Summary) -> Values:
    return _known((summary.get("performance") or {}).get("coverage"))


def _known(value: float | None) -> Values:
    return [] if value is None else [((), float(value))]


def _totals(summary: Summary) -> Mapping[str, Any]:
    found: Mapping[str, Any] = summary.get("totals") or {}
    return found


def _names(summary: Summary) -> dict[str, None]:
    """Give the features that are labels, in order."""
    declared = (summary.get("schema") or {}).get("features", ())
    return dict.fromkeys(declared[:FEATURES_MAX])


def _by_name(known: Mapping[str, None], found: Mapping[str, int]) -> dict[str, int]:
    """Give a count for every feature that is a label; those of all others are `other`."""
    counts = dict.fromkeys((*known, OTHER), 0)
    for name, count in found.items():
        counts[name if name in known else OTHER] += count
    return counts


_COUNTER, _GAUGE = CounterMetricFamily, GaugeMetricFamily
_METRICS: tuple[tuple[Any, str, str, tuple[str, ...], Callable[[Summary], Values]], ...] = (
    (_COUNTER, "riverrun_monitor_panes", "Closed panes.", (), _total("panes")),
    # The denominator of every rate below.
    (_COUNTER, "riverrun_monitor_events", "Checked events.", (), _total("events")),
    # They go to the dead letters.
    (_COUNTER, "riverrun_monitor_event_errors", "Events with an error of the schema.", (),
     _total("errors")),
    # Schema skew, by what and where.
    (_COUNTER, "riverrun_monitor_anomalies", "Anomalies of events and panes.",
     ("kind", "feature"), _anomalies),
    # Value skew; a feature with too few values in the last pane has no ratio.
    (_GAUGE, "riverrun_monitor_skew_ratio",
     "Largest distance over its threshold in the last pane; 1 is an alarm.",
     ("role", "feature"), _ratios),
    # Their rate without a change is the stated budget.
    (_COUNTER, "riverrun_monitor_skew_alarms", "Panes in which a column was in alarm.",
     ("role", "feature"), _alarms),
    # What the state machine read last; 1 is the threshold of each but error_fraction.
    (_GAUGE, "riverrun_monitor_signal", "Signals of the last pane.", ("signal",), _signals),
    (_GAUGE, "riverrun_monitor_concept_ratio",
     "Evidence for a rise of the loss over what is needed; 1 is a detection.", (), _concept),
    (_COUNTER, "riverrun_monitor_concept_drifts", "Changes of concept that were found.", ("by",),
     _drifts),
    # One series a state, all 0 before the worker has said anything.
    (_GAUGE, "riverrun_monitor_state", "1 for the present state.", ("state",), _states),
    (_COUNTER, "riverrun_monitor_actions", "Wanted actions.", ("action",), _actions),
    # Below 1 there is no reference, and nothing is compared.
    (_GAUGE, "riverrun_monitor_warm_up_ratio", "Events of the warm-up over those it needs.", (),
     _warm_up),
    (_GAUGE, "riverrun_monitor_open_pane_events", "Events in the open pane.", (), _open_pane),
    # Event time, not the time of the clock.
    (_GAUGE, "riverrun_monitor_pane_timestamp_seconds", "Last event time of the last pane.", (),
     _pane_time),
    # Outside of low to high, realised metrics say that the model is not calibrated as it was.
    (_GAUGE, "riverrun_monitor_expected",
     "Metrics that the model's confidence promises, over the last panes.", ("metric", "bound"),
     _expected),
    (_GAUGE, "riverrun_monitor_realised", "The same metrics of the labels that came.", ("metric",),
     _realised),
    # 0 is perfect; what a loss is depends on the task.
    (_GAUGE, "riverrun_monitor_mean_loss", "Mean loss since the warm-up, on the same labels.",
     ("of",), _mean_loss),
    (_GAUGE, "riverrun_monitor_label_coverage_ratio",
     "Predictions since the warm-up that have a label.", (), _coverage),
    # Unknown names, and features beyond the cap.
    (_COUNTER, "riverrun_monitor_labels_cut", "Counts that went to the label other.", (),
     _total("cut")),
)  # fmt: skip
